/**
 * The demo: stock clients ask for things through a gateway in front of a real Kafka, and the audit log proves what
 * happened. `--once` plays it and ends, with 0 only where every outcome was as expected; without it all stays up.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { renderEntry } from '../src/audit/audit.ts';
import { type Act, playActs } from './acts.ts';
import { connectText } from './connect.ts';
import { type Stage, setStage } from './stage.ts';

const help = `Usage: npm run demo [-- OPTIONS]

  --once         play the demo and end; exit code 0 only where every outcome is as expected
  --output json  print the outcomes as JSON
  --help         this text

Exit codes: 0 as expected · 1 something was not, or could not be started · 2 wrong options`;

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 2;
  if (options.help) {
    console.log(help);
    return 0;
  }
  const begun = performance.now();
  const say = (line: string): void =>
    console.error(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(5)} s  ${line}`);
  const ended = new Promise<void>((resolve) => {
    process.on('SIGINT', () => resolve());
    process.on('SIGTERM', () => resolve());
  });
  const stage = await setStage(say);
  try {
    const acts = await playActs(stage, say);
    console.log(options.json ? JSON.stringify(acts, null, 2) : tableOf(acts));
    const right = acts.every(({ asExpected }) => asExpected);
    if (!options.json) console.log(right ? 'Every outcome is as expected.' : 'NOT every outcome is as expected.');
    if (!options.once) await stay(stage, ended);
    return right ? 0 : 1;
  } finally {
    say('stopping');
    await stage.stop();
  }
}

async function stay(stage: Stage, ended: Promise<void>): Promise<void> {
  console.log(await connectText(stage));
  // Promises alone do not keep a process up.
  const alive = setInterval(() => {}, 60_000);
  await ended;
  clearInterval(alive);
}

function readOptions(): { readonly once: boolean; readonly json: boolean; readonly help: boolean } | null {
  try {
    const { values } = parseArgs({
      options: { once: { type: 'boolean' }, output: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.output !== undefined && values.output !== 'json' && values.output !== 'table')
      throw new Error('--output takes json or table');
    return { once: values.once ?? false, json: values.output === 'json', help: values.help ?? false };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return null;
  }
}

function tableOf(acts: readonly Act[]): string {
  const table = new Table({
    head: ['who (client)', 'asks to', 'should be', 'what happened', ''],
    style: { head: [], border: [] },
    colWidths: [24, 24, 18, 44, 4],
    wordWrap: true,
  });
  for (const act of acts) {
    table.push([`${act.who} (${act.client})`, act.asks, act.expected, act.happened, act.asExpected ? 'ok' : 'NO']);
    table.push([{ colSpan: 5, content: `audit: ${act.proof === null ? 'NO ENTRY' : renderEntry(act.proof)}` }]);
  }
  return table.toString();
}

// kafkajs 2.2 sets timers in the past, of which newer Nodes warn at length; it is a client here, shown as it is.
process.removeAllListeners('warning');
process.exitCode = await main();
