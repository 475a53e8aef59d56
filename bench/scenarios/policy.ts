/** What rules cost: one that permits everything against 10, 1,000 and 100,000 of them, over 10,000 topics. */
import type { Operation } from '../load/frames.ts';
import type { BenchOptions } from '../options.ts';
import { openPolicy, policyOf } from '../peers/policies.ts';
import { type SluicePeer, startSluice } from '../peers/sluice.ts';
import type { ScenarioResult } from '../report.ts';
import { type Cell, type Sample, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { type Stage, memoryFolder, setStage } from '../stage.ts';
import { profiled } from './gateways.ts';
import { type Scenario, cellName, figuresOf, onStage } from './scenario.ts';

const topics = 10_000;
const connections = 4;
const inFlight = 5;
/** First uses leave work behind them, collecting what they took in memory most of all: it is over in a second. */
const settlingSeconds = 1.5;
const loads: readonly { readonly operation: Operation; readonly frameBytes: number }[] = [
  { operation: 'produce', frameBytes: 1_024 },
  { operation: 'produce', frameBytes: 16_384 },
  { operation: 'fetch', frameBytes: 16_384 },
];

export const policy: Scenario = {
  name: 'policy',
  about: 'one rule that permits all (off) against 10, 1,000 and 100,000 rules, 10,000 topics',
  run,
};

async function run(given: BenchOptions): Promise<ScenarioResult> {
  const options = { ...given, warmUpSeconds: Math.max(given.warmUpSeconds, settlingSeconds) };
  // Each connection's first use of a topic is an entry written through to the disk: 40,000 of them before a run counts.
  const stage = await setStage(topics, { parentFolder: memoryFolder() });
  return onStage(stage, async () => {
    const { folder, broker, idp, openingFile } = stage;
    const variants = [
      { name: 'off', policy: openPolicy },
      ...[10, 1_000, 100_000].map((rules) => ({ name: `${rules}-rules`, policy: policyOf(rules, topics) })),
    ];
    const peers: SluicePeer[] = [];
    for (const variant of variants) {
      const common = { idp, openingFile, inspect: options.profile };
      const gateway = await stage.add(startSluice(folder, broker, { ...variant, ...common }));
      if (gateway !== null) peers.push(gateway);
    }
    const cells = loads.map(({ operation, frameBytes }): Cell => {
      const exchange = stage.frames.exchange(operation, frameBytes);
      return { name: cellName(exchange), exchange, connections, inFlight, topics };
    });
    const { samples, text } = options.profile
      ? await profileEach(stage, peers, cells, options)
      : { samples: await runRounds(stage, peers, cells, options), text: '' };
    const rows = rowsOf(samples, 'off');
    const on = rows.filter(({ peer }) => peer !== 'off');
    const figures = figuresOf(on, 'cpu ÷ off', (row) => row.cpuRatio?.median ?? Number.NaN);
    return { rows, figures, samples, notes: stage.missing, anchor: 'off', text };
  });
}

/** One after the other, each under a profile of its own. */
async function profileEach(
  stage: Stage,
  peers: readonly SluicePeer[],
  cells: readonly Cell[],
  options: BenchOptions,
): Promise<{ readonly samples: readonly Sample[]; readonly text: string }> {
  const samples: Sample[] = [];
  const texts: string[] = [];
  for (const peer of peers) {
    const { result, text = '' } = await profiled(peer, options, () => runRounds(stage, [peer], cells, options));
    samples.push(...result);
    texts.push(`${peer.name}\n${text}`);
  }
  return { samples, text: texts.join('\n\n') };
}
