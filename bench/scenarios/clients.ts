/**
 * The truth: real Kafka with Java's own performance tools and librdkafka (kcat), produce and consume of 1 KB records.
 * Broker and clients share one core, so that a proxy's cost shows and its speed is seldom what is measured.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Idp, startIdp } from '../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { releasePorts, reservePorts } from '../../harness/ports.ts';
import { removeAtExit } from '../../harness/processes.ts';
import { type Usage, busySeconds, usageOf } from '../machine.ts';
import { type BenchOptions, say } from '../options.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import { startKroxylicious } from '../peers/kroxylicious.ts';
import { type Peer, PeerMissing } from '../peers/peer.ts';
import { openPolicy } from '../peers/policies.ts';
import { startSluice } from '../peers/sluice.ts';
import type { ScenarioResult } from '../report.ts';
import { type Sample, progress, quietest } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import {
  type Credentials,
  type Tool,
  type ToolLoad,
  type ToolRun,
  recordBytes,
  steadyCell,
  tools,
} from './client-tools.ts';
import { type Scenario, figuresOf } from './scenario.ts';
import { waitsTable } from './client-waits.ts';

/** Topics of all runs so far: each has a name of its own. */
let topicsMade = 0;
const user = { name: 'bench', password: 'bench-password' };

export const clients: Scenario = {
  name: 'clients',
  about: 'real Kafka with Java perf tools and librdkafka (kcat), produce and consume of 1 KB records',
  notProfiled: 'the clients, not the gateway, are what a run of it waits for. Profile passthrough instead.',
  run,
};

interface ClientPeer extends Peer {
  readonly credentials: Credentials | null;
}

interface Ground {
  readonly folder: string;
  readonly kafka: KafkaCluster;
  readonly peers: readonly ClientPeer[];
  readonly notes: readonly string[];
  stop(): Promise<void>;
}

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const ground = await prepare();
  try {
    const samples = await rounds(ground, options);
    const rows = rowsOf(samples, 'haproxy');
    const besideKroxylicious = rowsOf(samples, 'kroxylicious').filter(({ peer }) => peer === 'sluice');
    const own = rows.filter(({ peer }) => peer === 'sluice');
    const figures = [
      ...figuresOf(own, 'MB/s ÷ direct', (row) => row.throughputRatio?.median ?? Number.NaN),
      ...figuresOf(own, 'cpu ÷ haproxy', (row) => row.cpuRatio?.median),
      ...figuresOf(besideKroxylicious, 'cpu ÷ kroxylicious', (row) => row.cpuRatio?.median),
    ];
    return { rows, figures, samples, notes: ground.notes, anchor: 'haproxy', text: waitsTable(samples, steadyCell) };
  } finally {
    await ground.stop();
  }
}

/** Kafka sends clients to the address it advertises: its SASL listener is the relay's, so that nobody goes around it. */
async function prepare(): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  removeAtExit(folder);
  const undo: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const [relayPort = 0] = await reservePorts(1);
    undo.push(() => releasePorts([relayPort]));
    say('starting Apache Kafka');
    const kafka = await startKafka({
      listeners: ['plaintext', 'sasl'],
      users: [user],
      heapMB: 768,
      advertise: (kind) => (kind === 'sasl' ? `127.0.0.1:${relayPort}` : undefined),
      config: { 'log.segment.delete.delay.ms': '1000' },
    });
    undo.push(() => kafka.stop());
    const idp = await startIdp({ clients: [{ id: user.name, secret: 'bench-secret', ttlSeconds: 86_400 }] });
    undo.push(() => idp.stop());
    const notes: string[] = [];
    const peers = await startPeers({ folder, kafka, idp, relayPort }, notes);
    for (const peer of peers) undo.push(() => peer.stop());
    return { folder, kafka, peers, notes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Behind {
  readonly folder: string;
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  readonly relayPort: number;
}

async function startPeers({ folder, kafka, idp, relayPort }: Behind, notes: string[]): Promise<ClientPeer[]> {
  const port = (kind: 'plaintext' | 'sasl'): number => kafka.brokers[0]?.port(kind) ?? 0;
  const plain = { port: port('plaintext') };
  const token = await idp.token(user.name);
  const starts: readonly (() => Promise<ClientPeer>)[] = [
    () =>
      Promise.resolve({
        name: 'direct',
        ...plain,
        pid: null,
        openingFile: null,
        credentials: null,
        stop: () => Promise.resolve(),
      }),
    async () => ({ ...(await startHaproxy(folder, { port: port('sasl') }, { port: relayPort })), credentials: user }),
    async () => {
      const kroxylicious = await startKroxylicious(folder, plain);
      if (kroxylicious.note !== '') notes.push(kroxylicious.note);
      return { ...kroxylicious, credentials: null };
    },
    async () => ({
      ...(await startSluice(folder, plain, { name: 'sluice', idp, openingFile: null, policy: openPolicy })),
      credentials: { name: user.name, password: token },
    }),
  ];
  const peers: ClientPeer[] = [];
  for (const start of starts) {
    try {
      peers.push(await start());
    } catch (error) {
      if (!(error instanceof PeerMissing)) {
        await Promise.all(peers.map((peer) => peer.stop()));
        throw error;
      }
      say(error.message);
      notes.push(error.message);
    }
  }
  return peers;
}

async function rounds(ground: Ground, options: BenchOptions): Promise<Sample[]> {
  const recordsFile = join(ground.folder, 'records.txt');
  const samples: Sample[] = [];
  const taking = tools.filter(({ name }) => name.includes(options.only));
  const ways = taking.reduce(
    (sum, { consume, runsPerRound = 1 }) => sum + runsPerRound * (consume === null ? 1 : 2),
    0,
  );
  const total = options.rounds * ways * ground.peers.length;
  // A broker's first megabytes are its slowest, and a proxy's too: a round before the first does not count.
  for (let round = -1; round < options.rounds; round += 1) {
    for (const tool of taking) {
      const seconds = Math.max(options.seconds, tool.secondsMin ?? 0);
      const perSecond = (round < 0 ? tool.warmUpRecordsPerSecond : undefined) ?? tool.recordsPerSecond;
      const records = Math.round(seconds * perSecond);
      if (tool.readsLines === true) writeRecords(recordsFile, records);
      const load = { records, seconds, recordsFile };
      if (round < 0) {
        await everyPeer(ground, tool, round, load, ({ cell, peer }) => say(`warm-up ${cell} ${peer}`));
        continue;
      }
      const runs = tool.runsPerRound ?? 1;
      for (let again = 0; again < runs; again += 1) {
        await everyPeer(ground, tool, round * runs + again, load, (sample) => {
          samples.push(sample);
          say(progress(sample, samples.length, total));
        });
      }
    }
  }
  return samples;
}

/**
 * Each run has a topic of its own, which is produced to, then consumed from by the same kind of client, then deleted.
 *
 * @param round what ratios are taken within; the order of the peers turns with it
 */
async function everyPeer(
  { kafka, peers }: Ground,
  tool: Tool,
  round: number,
  load: Pick<ToolLoad, 'records' | 'seconds' | 'recordsFile'>,
  onSample: (sample: Sample) => void,
): Promise<void> {
  for (let turn = 0; turn < peers.length; turn += 1) {
    const peer = peers[(turn + round + 1) % peers.length];
    if (peer === undefined) continue;
    const to = { ...load, bootstrap: `127.0.0.1:${peer.port}`, credentials: peer.credentials };
    for (const sample of await bothWays(kafka, tool, peer, round, to)) onSample(sample);
  }
}

/** A produce that is made again has a new topic; what consumes reads the last one. */
async function bothWays(
  kafka: KafkaCluster,
  tool: Tool,
  peer: ClientPeer,
  round: number,
  load: Omit<ToolLoad, 'topic'>,
): Promise<Sample[]> {
  // What does not count need not be quiet.
  const settled = round < 0 ? (measure: () => Promise<Sample>): Promise<Sample> => measure() : quietest;
  let topic = '';
  const produced = await settled(async () => {
    if (topic !== '') await kafka.deleteTopic(topic);
    topic = `bench-${topicsMade}`;
    topicsMade += 1;
    await kafka.createTopic(topic, { partitions: 4 });
    return measured(`${tool.name} produce`, peer, round, () => tool.produce({ ...load, topic }));
  });
  const samples = [produced];
  const { consume } = tool;
  if (consume !== null) {
    const consuming = (): Promise<Sample> =>
      measured(`${tool.name} consume`, peer, round, () => consume({ ...load, topic }));
    samples.push(await settled(consuming));
  }
  await kafka.deleteTopic(topic);
  return samples;
}

/** All that takes part was started from here, so what others used is the rest. */
async function measured(cell: string, peer: ClientPeer, round: number, work: () => Promise<ToolRun>): Promise<Sample> {
  const reading = (): { proxy: Usage | null; ours: number; busy: number; atMs: number } => ({
    proxy: peer.pid === null ? null : usageOf(peer.pid),
    ours: usageOf(process.pid).cpuSeconds,
    busy: busySeconds(),
    atMs: performance.now(),
  });
  const before = reading();
  const { records, seconds, averageLatencyMs } = await work();
  const after = reading();
  const others = Math.max(0, after.busy - before.busy - (after.ours - before.ours));
  const none = Number.NaN;
  return {
    cell,
    peer: peer.name,
    round,
    seconds,
    frames: records,
    megabytes: (records * recordBytes) / 1e6,
    proxyCpu: before.proxy === null || after.proxy === null ? none : after.proxy.cpuSeconds - before.proxy.cpuSeconds,
    loadCpu: none,
    brokerCpu: none,
    residentMB: after.proxy?.residentMB ?? 0,
    descriptors: after.proxy?.descriptors ?? 0,
    ...(averageLatencyMs !== undefined && { averageLatencyMs }),
    latencyUs: { p50: none, p90: none, p99: none, p999: none, max: none },
    // The tool's own seconds can be fewer than the wall's: its start does not count, but what others do then is no less noise.
    othersCpu: (others * seconds * 1_000) / (after.atMs - before.atMs),
    repeats: 0,
  };
}

/** Lines that do not compress, each of a record's length. */
function writeRecords(file: string, records: number): void {
  const lines = Array.from({ length: 1_000 }, () => `${randomBytes(recordBytes / 2).toString('hex')}\n`);
  const descriptor = openSync(file, 'w');
  try {
    for (let left = records; left > 0; left -= lines.length) writeSync(descriptor, lines.slice(0, left).join(''));
  } finally {
    closeSync(descriptor);
  }
}
