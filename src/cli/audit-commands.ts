/** The definitions of `sluice audit …`. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { AuditExportOptions } from './audit-export.ts';
import type { AuditKeyOptions } from './audit-key.ts';
import type { AuditProveOptions } from './audit-prove.ts';
import type { AuditQueryOptions } from './audit-query.ts';
import type { AuditRetainOptions } from './audit-retain.ts';
import type { AuditVerifyOptions } from './audit-verify.ts';
import { configOption, examples, outputOption, runs } from './command.ts';

/** Each name again for one more value. */
function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

const directoryOption = (): Option =>
  new Option('-d, --directory <folder>', "the log's folder, or a copy of it").default('audit');

export function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('read the audit log, and prove or disprove it')
    .helpCommand(false)
    .exitOverride();
  addVerify(audit);
  addProve(audit);
  addQuery(audit);
  addRetain(audit);
  addExport(audit);
  audit
    .command('key')
    .description('print the public keys that sign the log; the last one is in force')
    .addOption(configOption())
    .option('--file <file>', "the key file instead of the configuration's")
    .option('--rotate', 'add a new key, which the gateway takes up when it starts next', false)
    .addOption(outputOption())
    .addHelpText('after', examples('sluice audit key > auditor.vkey', 'sluice audit key --rotate'))
    .action(
      runs(async ({ output, options }) =>
        (await import('./audit-key.ts')).runAuditKey(options as AuditKeyOptions, output),
      ),
    );
}

function addVerify(audit: Command): void {
  audit
    .command('verify [folder]')
    .description('verify a log from its files alone: exit code 0 intact and complete; see `help exit-codes`')
    .option('-k, --key <key>', 'a public key that you have from elsewhere, or a file of them; again for more', several)
    .option('--checkpoint <file>', 'the last checkpoint that you saw; kept up to date')
    .option('--max-age <time>', 'fail where the newest checkpoint is older, such as 1m')
    .option('--witness <key>', 'who else has to have signed: a key, or a file of them; again for more', several)
    .option('--quorum <number>', 'how many of the witnesses; default: all')
    .option('--keep <time>', 'fail where retention removed entries sooner than this, such as 400d')
    .option('--proof <file>', 'verify a proof of one entry instead; needs no log')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'sluice audit verify /var/lib/sluice/audit --key auditor.vkey --checkpoint last.checkpoint',
        'sluice audit verify audit --key sluice/gw-1+0a1b2c3d+AZ… --output json',
        'sluice audit verify --proof entry.tlog-proof --key auditor.vkey',
      ),
    )
    .action(
      runs(async ({ output, options, args: [folder] }) =>
        (await import('./audit-verify.ts')).runAuditVerify(folder ?? null, options as AuditVerifyOptions, output),
      ),
    );
}

function addProve(audit: Command): void {
  audit
    .command('prove <entry-id>')
    .description('a proof that an entry is in the signed log, for `audit verify --proof`')
    .addOption(directoryOption())
    .option('--file <file>', 'where the proof goes; default: standard output')
    .addOption(outputOption())
    .addHelpText('after', examples('sluice audit prove mws9k2aa-1f0c9d3b7e.42 --file entry.tlog-proof'))
    .action(
      runs(async ({ output, options, args: [id = ''] }) =>
        (await import('./audit-prove.ts')).runAuditProve(id, options as AuditProveOptions, output),
      ),
    );
}

function addExport(audit: Command): void {
  audit
    .command('export')
    .description('entries to a file, a webhook, a topic or a bucket, from where the last export ended')
    .addOption(directoryOption())
    .option('--cursor <file>', 'where the export keeps how far it is: one for each place')
    .option('--file <file>', 'to a file')
    .addOption(new Option('--format <format>', 'of the file').choices(['jsonl', 'csv']).default('jsonl'))
    .option('--webhook <url>', 'to a webhook, as batches of CloudEvents')
    .option('--token-env <name>', 'the environment variable with the bearer token of the webhook')
    .option('--token-file <file>', 'or the file')
    .option('--ca <file>', "CA of the webhook's or the bucket's own TLS")
    .option('--topic <name>', "to a topic, on the gateway's own credentials")
    .option('--port <name>', 'through the upstream of this port')
    .addOption(configOption())
    .option('--bucket <name>', 'to S3-compatible storage; credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY')
    .option('--endpoint <url>', 'where the storage is')
    .option('--region <name>', 'of the storage', 'us-east-1')
    .option('--prefix <text>', 'before the names of objects', '')
    .option('--follow', 'wait for more at the end, until SIGINT or SIGTERM', false)
    .option('--skip-gone', 'go on behind what retention removed before it was exported', false)
    .option('--as <name>', 'who asks, for the entry about it')
    .option('--no-audit', 'for a copy of the log that cannot be written')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'sluice audit export --file audit.jsonl --cursor file.cursor',
        'sluice audit export --webhook https://siem.example.com/in --token-file token --cursor siem.cursor --follow',
        'sluice audit export --topic audit --port orders --cursor topic.cursor --follow',
        'sluice audit export --bucket audit --endpoint https://s3.example.com --prefix gw-1/ --cursor s3.cursor',
      ),
    )
    .action(
      runs(async ({ output, options }) =>
        (await import('./audit-export.ts')).runAuditExport(options as AuditExportOptions, output),
      ),
    );
}

function addRetain(audit: Command): void {
  audit
    .command('retain')
    .description('remove what audit.retention lets go; a gateway that runs does so by itself')
    .addOption(configOption())
    .option('--dry-run', 'only say what would be removed, also while a gateway runs', false)
    .addOption(outputOption())
    .addHelpText('after', examples('sluice audit retain --dry-run', 'sluice audit retain --dry-run --output json'))
    .action(
      runs(async ({ output, options }) =>
        (await import('./audit-retain.ts')).runAuditRetain(options as AuditRetainOptions, output),
      ),
    );
}

function addQuery(audit: Command): void {
  audit
    .command('query')
    .description('entries that match all that is asked, from the files, also while the gateway writes')
    .addOption(directoryOption())
    .option('--principal <id>', 'who')
    .option('--member-of <group>', "one of the principal's groups")
    .option('--topic <name>', 'what: a topic')
    .option('--partition <number>', 'and one partition of it')
    .option('--offset <number>', 'and one record of that: windows of flow that hold it')
    .option('--group <name>', 'what: a consumer group')
    .option('--action <action>', 'read, write, describe, …')
    .option('--outcome <outcome>', 'permitted, denied, refused, failed or flowed')
    .option('--session <id>', 'one session')
    .option('--code <code>', 'one kind of entry, such as session.opened')
    .option(
      '--since <time>',
      '2026-03-12 (midnight UTC), 2026-03-12T08:00:00+01:00, or a length of time before now: 24h',
    )
    .option('--until <time>', 'the same; what is asked for is before it')
    .option('--limit <number>', 'at most so many', '1000')
    .option('--sql <select>', 'one SELECT over `entries`, which are those that the rest asks for')
    .option('--columns', 'list the columns of `entries`', false)
    .option('--timeout <time>', 'stop after it (default: 60s)')
    .option('--verified', 'verify the log first, and answer from the lines that were verified; takes its time', false)
    .option('-k, --key <key>', 'with --verified: a public key that you have from elsewhere, or a file of them', several)
    .option('--as <id>', 'who you are, where several share a user; the entry about the question says so')
    .option('--no-audit', 'leave no entry about the question: only for copies that cannot be written')
    .addOption(
      new Option('-o, --output <format>', 'table for people; csv and json for programs')
        .choices(['table', 'csv', 'json'])
        .default('table'),
    )
    .addHelpText(
      'after',
      examples(
        'sluice audit query --topic payments --partition 3 --offset 4711 --action read',
        'sluice audit query --principal alice --outcome denied --since 24h --output csv',
        'sluice audit query --session 7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1 --output json',
        'sluice audit query --since 7d --sql "SELECT principal, sum(records) FROM entries GROUP BY ALL ORDER BY 2 DESC"',
      ),
    )
    .action(
      runs(async ({ options }) => (await import('./audit-query.ts')).runAuditQuery(options as AuditQueryOptions)),
    );
}
