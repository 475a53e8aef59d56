/** The definitions of `sluice session …` and `sluice replay`. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { configOption, examples, outputOption, runs } from './command.ts';
import type { PlaceOptions } from './recording-places.ts';
import type { ReplayOptions } from './replay-options.ts';
import type { SessionEraseOptions } from './session-erase.ts';
import type { SessionKeyOptions } from './session-key.ts';
import type { SessionListOptions } from './session-ls.ts';

function places(command: Command): Command {
  return command
    .addOption(configOption())
    .option('--recordings <folder>', "the recordings' folder, or a copy of it, instead of the configuration's")
    .option('--key <file>', 'the key of the recordings');
}

export function addSessionCommands(program: Command): void {
  const session = program
    .command('session')
    .description('recorded sessions: list them, look at one, erase one')
    .helpCommand(false)
    .exitOverride();
  places(session.command('ls').description('the sessions of which there are recordings; needs no key'))
    .option('--principal <id>', 'only of this principal')
    .addOption(outputOption())
    .addHelpText('after', examples('sluice session ls', 'sluice session ls --principal alice --output json'))
    .action(
      runs(async ({ output, options }) =>
        (await import('./session-ls.ts')).runSessionList(options as SessionListOptions, output),
      ),
    );
  places(
    session.command('show <session>').description('the recordings of one session, with tags and sizes; needs no key'),
  )
    .addOption(outputOption())
    .addHelpText('after', examples('sluice session show 7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1'))
    .action(
      runs(async ({ output, options, args: [id = ''] }) =>
        (await import('./session-ls.ts')).runSessionShow(id, options as PlaceOptions, output),
      ),
    );
  places(
    session
      .command('erase <session>')
      .description('destroy the keys of the recordings of a session, for good; the audit log stays as it is'),
  )
    .option('--yes', 'really', false)
    .addOption(outputOption())
    .addHelpText('after', examples('sluice session erase 7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1 --yes'))
    .action(
      runs(async ({ output, options, args: [id = ''] }) =>
        (await import('./session-erase.ts')).runSessionErase(id, options as SessionEraseOptions, output),
      ),
    );
  places(session.command('key').description('the ids of the keys that wrap recordings; the last one is in force'))
    .option('--rotate', 'add a new key, which the gateway takes up when it starts next', false)
    .addOption(outputOption())
    .addHelpText('after', examples('sluice session key', 'sluice session key --rotate'))
    .action(
      runs(async ({ output, options }) =>
        (await import('./session-key.ts')).runSessionKey(options as SessionKeyOptions, output),
      ),
    );
  addReplay(program);
}

function addReplay(program: Command): void {
  const replay = places(
    program
      .command('replay <session>')
      .description('show what a recorded session read and wrote, or write it into a topic again'),
  )
    .option('--audit <folder>', 'the audit log that the recording is held against')
    .option('--topic <name>', 'only this topic')
    .option('--partition <number>', 'only this partition')
    .addOption(new Option('--direction <direction>', 'only what was').choices(['produced', 'delivered']))
    .option('--key-is <text>', 'only records with this key')
    .option('--contains <text>', 'only records whose value holds this text')
    .option('--since <time>', 'from here on: a time, or +5m after the start of the session')
    .option('--until <time>', 'up to here, the same')
    .option('--from-offset <number>', 'only records from this offset on')
    .option('--to-offset <number>', 'only records up to this offset')
    .option('--limit <number>', 'at most so many records')
    .option('--requests', 'show requests, too', false)
    .option(
      '--speed <factor>',
      'as fast as it happened (1), so much faster (10), or at once (max); default: 1 on a terminal, else max',
    )
    .option('--max-pause <time>', 'longer pauses are cut to this', '5s')
    .addOption(
      new Option('--as <format>', 'text for people; json: one record per line')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(
      new Option('--values <form>', 'how keys and values are shown')
        .choices(['auto', 'json', 'text', 'hex'])
        .default('auto'),
    );
  addInto(replay);
}

function addInto(replay: Command): void {
  replay
    .option('--bootstrap <address>', 'the gateway: for --into, and for what the recording only refers to')
    .option('--token-file <file>', "a file with the caller's token; default: the variable SLUICE_TOKEN")
    .option('--tls', 'TLS to the gateway, by the CAs of the system', false)
    .option('--ca <file>', 'TLS to the gateway, by this CA')
    .option('--cert <file>', "the caller's certificate")
    .option('--cert-key <file>', 'and its key')
    .option('--into <topic>', 'write the records into this topic, in order, each once')
    .option('--to-partition <number>', 'all into this partition; default: each into the one that it came from')
    .option('--dry-run', 'say what would be written, and write nothing', false)
    .option('--rate <records>', 'at most so many records in a second')
    .option('--cursor <file>', 'how far it has come; run again with it, it goes on there')
    .addHelpText(
      'after',
      examples(
        'sluice replay 7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1 --speed 10 --topic payments',
        'sluice replay 7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1 --as json > session.jsonl',
        'sluice replay 7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1 --into payments-again --bootstrap localhost:19092 --dry-run',
      ),
    )
    .action(
      runs(async ({ options, args: [id = ''] }) =>
        (await import('./replay.ts')).runReplay(id, options as ReplayOptions),
      ),
    );
}
