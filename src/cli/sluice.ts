/** The command line. Each command is a file of its own, read only when it runs. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { messageOf } from '../lib/errors.ts';
import { boundYoungGeneration } from '../lib/young-generation.ts';
import { addAuditCommands } from './audit-commands.ts';
import { configOption, examples, lastExitCode, outputOption, runs } from './command.ts';
import { exitCodeMeanings, exitCodes } from './exit-codes.ts';
import { CommandError, formatProblem } from './output.ts';
import type { PolicyTestOptions } from './policy-test.ts';
import type { ServeOptions } from './serve.ts';
import { addSessionCommands } from './session-commands.ts';

/** The demo takes its options as they come, so it is no command like the others. */
let demoExitCode: number | null = null;

function buildProgram(): Command {
  const program = new Command('sluice')
    .description(
      'An identity-aware gateway for data streams: every request tied to an identity, checked against a policy, and entered in an audit log.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print help for a command; `help exit-codes` prints the exit codes')
    .showSuggestionAfterError(true)
    .exitOverride();
  program
    .command('init [folder]')
    .description('write commented starter files: sluice.yaml and policies/example.yaml')
    .option('-f, --force', 'overwrite files that are there', false)
    .addOption(outputOption())
    .addHelpText('after', examples('sluice init', 'sluice init gateway && sluice check --config gateway/sluice.yaml'))
    .action(
      runs(async ({ output, options, args: [folder = '.'] }) =>
        (await import('./init.ts')).runInit(folder, options as { force: boolean }, output),
      ),
    );
  program
    .command('check')
    .description('check the configuration and the policies, and print every problem as file:line:column: message')
    .addOption(configOption())
    .addOption(outputOption())
    .addHelpText('after', examples('sluice check', 'sluice check --config /etc/sluice/sluice.yaml --output json'))
    .action(
      runs(async ({ output, options }) => (await import('./check.ts')).runCheck(options as { config: string }, output)),
    );
  program
    .command('serve')
    .description('run the gateway until SIGTERM or SIGINT; SIGHUP reads the policies again')
    .addOption(configOption())
    .addOption(
      new Option('--log-format <format>', 'how log lines on standard error look')
        .choices(['json', 'text'])
        .default('json'),
    )
    .addOption(
      new Option('--log-level <level>', 'instead of telemetry.logLevel').choices(['debug', 'info', 'warn', 'error']),
    )
    .addOption(outputOption())
    .addHelpText('after', examples('sluice serve', 'sluice serve --config /etc/sluice/sluice.yaml --log-format text'))
    .action(
      runs(async ({ output, options }) => {
        // Before the gateway's own modules, whose reading would let it grow.
        boundYoungGeneration();
        return (await import('./serve.ts')).runServe(options as ServeOptions, output);
      }),
    );
  addPolicyCommands(program);
  addAuditCommands(program);
  addSessionCommands(program);
  addDemoCommand(program);
  return program;
}

function addPolicyCommands(program: Command): void {
  const policy = program
    .command('policy')
    .description('ask the policies, and compare them')
    .helpCommand(false)
    .exitOverride();
  policy
    .command('test')
    .description('what the policies decide about one operation, and the rule that made it; exit code 0 permit, 3 deny')
    .addOption(configOption())
    .option('--policies <path>', 'a policy folder or file instead of the configured one')
    .option('--principal <description>', 'who asks: id=…,issuer=…,kind=…,group=…,claim:NAME=VALUE')
    .option('--principal-file <file>', 'who asks, as JSON: { id, issuer, kind, groups, claims }')
    .option('--port <name>', 'the port that is asked; needed where there are several')
    .option('--action <action>', 'what is done, such as read or write')
    .option('--topic <name>', 'the resource: a topic')
    .option('--partition <number>', 'one partition of the topic')
    .option('--group <name>', 'the resource: a consumer group')
    .option('--transactional-id <id>', 'the resource: a transactional id')
    .option('--cluster', 'the resource: the cluster')
    .option('--at <time>', 'when, such as 2027-04-01T00:00:00Z; default: now')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'sluice policy test --principal id=alice,group=payments-eng --action read --topic payments',
        "sluice policy test --principal 'kind=job,id=settle,issuer=buildkite,claim:organization_slug=acme' --action write --topic payments --partition 3",
        'sluice policy test --principal-file alice.json --action read --group payments-app --output json',
      ),
    )
    .action(
      runs(async ({ output, options }) =>
        (await import('./policy-test.ts')).runPolicyTest(options as PolicyTestOptions, output),
      ),
    );
  policy
    .command('diff <old> <new>')
    .description('what changes between two policy folders or files; exit code 0 nothing, 4 something')
    .addOption(configOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'sluice policy diff policies/ policies.new/',
        'git worktree add /tmp/main main && sluice policy diff /tmp/main/policies policies',
      ),
    )
    .action(
      runs(async ({ output, options, args: [before = '', after = ''] }) =>
        (await import('./policy-diff.ts')).runPolicyDiff(before, after, options as { config: string }, output),
      ),
    );
}

function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'start Kafka, an identity provider and the gateway, and run stock clients through them (source checkout only)',
    )
    .helpOption(false)
    .allowUnknownOption()
    .argument('[args...]', 'passed on to the demo; --once runs it once and exits')
    .addHelpText('after', examples('sluice demo', 'sluice demo --once'))
    .action(async (args: readonly string[]) => {
      demoExitCode = await (await import('./demo.ts')).runDemo(args);
    });
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === 'help' && args[1] === 'exit-codes') {
    for (const [code, meaning] of exitCodeMeanings) process.stdout.write(`${code.padEnd(8)}  ${meaning}\n`);
    return exitCodes.ok;
  }
  try {
    await buildProgram().parseAsync([...args], { from: 'user' });
    return demoExitCode ?? lastExitCode();
  } catch (error) {
    return report(error, args);
  }
}

/** A failure in the form that was asked for, without a stack unless it is a defect of ours. */
function report(error: unknown, args: readonly string[]): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (!(error instanceof CommandError)) {
    process.stderr.write(`sluice: a defect in Sluice: ${error instanceof Error ? error.stack : messageOf(error)}\n`);
    return exitCodes.internalError;
  }
  if (wantsJson(args)) {
    process.stdout.write(`${JSON.stringify({ ok: false, error: error.message, problems: error.problems }, null, 2)}\n`);
  } else {
    for (const problem of error.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    process.stderr.write(`sluice: ${error.message}\n`);
  }
  return error.exitCode;
}

function wantsJson(args: readonly string[]): boolean {
  return (
    args.includes('--output=json') ||
    args.some((arg, index) => ['-o', '--output'].includes(arg) && args[index + 1] === 'json')
  );
}

const code = await main(process.argv.slice(2));
// Left to end by itself, so that output to a pipe is written whole; what may still keep the process up is not waited for long.
process.exitCode = code;
setTimeout(() => process.exit(code), 1_000).unref();
