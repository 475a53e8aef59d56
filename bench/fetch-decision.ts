/**
 * What it costs to decide about a fetch: on its bytes, against decoding it, in a session and naming all partitions each
 * time. CPU time and heap bytes of one request, medians of interleaved rounds; nothing is read, sent or entered in a log.
 *
 *   sh scripts/node.sh bench/fetch-decision.ts
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { GateSession } from '../src/gate/gate.ts';
import { compilePolicies } from '../src/policy/policy.ts';
import { decideFetch, fetchVerdict } from '../src/ports/kafka/apis/fetch-fast.ts';
import { fetchSessions } from '../src/ports/kafka/apis/fetch-session.ts';
import { fetch } from '../src/ports/kafka/apis/fetch.ts';
import { RequestAccess, type Verdict } from '../src/ports/kafka/apis/handler.ts';
import type { ClusterView } from '../src/ports/kafka/cluster.ts';
import { decodeRequest, decodeRequestHeader, encodeRequest } from '../src/ports/kafka/protocol/protocol.ts';
import { BrokerVersions } from '../src/ports/kafka/versions.ts';
import { spreadOf } from './statistics.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const rounds = 9;
const roundsToWarmUp = 3;
const roundMs = 150;
const requestsForHeap = 100;
const version = 17;
const partitionsPerTopic = 100;
const sessionId = 4_711;

function topicId(index: number): string {
  const bytes = Buffer.alloc(16, 0x5a);
  bytes.writeUInt32BE(index, 12);
  return bytes.toString('base64url');
}

const names = new Map(Array.from({ length: 20 }, (_, index) => [topicId(index), `orders.eu.topic-${index}`]));
const compiled = compilePolicies(
  [
    {
      path: 'bench.yaml',
      text: `apiVersion: sluice/v1
kind: Policy
metadata: { name: readers }
spec:
  subjects: [{ group: readers }]
  allow:
${[...names.values()].map((name) => `    - { port: orders, topics: [${name}], actions: [read] }`).join('\n')}
`,
    },
  ],
  {
    ports: [{ name: 'orders', protocol: 'kafka' }],
    issuers: [{ name: 'corp', issuer: 'https://idp.example', requiredClaims: {} }],
  },
  Date.now(),
);
if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
const access = compiled.policies.accessFor(
  {
    kind: 'user',
    id: 'reader',
    issuer: 'corp',
    groups: ['readers'],
    claims: {},
    expiresAtMs: null,
    credential: { type: 'jwt', id: 'reader' },
  },
  'orders',
);
const session: Partial<GateSession> = {
  id: 'session',
  revision: access.revision,
  recorder: null,
  decide: (action, type, name, partition) => access.decide(action, type, name, partition, Date.now()),
  permits: (action, type, name, partition) =>
    access.decide(action, type, name, partition, Date.now()).effect === 'permit',
};
const cluster: Partial<ClusterView> = { topicName: (id) => names.get(id) };
const addresses = { bootstrap: { host: 'gateway', port: 9_000 }, forNode: () => null };

interface Row {
  readonly label: string;
  readonly handle: () => Verdict<'Fetch'> | Promise<Verdict<'Fetch'>>;
}

function request(partitions: number, epoch: number): Buffer {
  const topics = [...names.keys()].slice(0, Math.ceil(partitions / partitionsPerTopic)).map((id, topic) => ({
    topicId: id,
    partitions: Array.from(
      { length: Math.min(partitionsPerTopic, partitions - topic * partitionsPerTopic) },
      (_, partition) => ({ partition, fetchOffset: 4_711n, partitionMaxBytes: 1_048_576 }),
    ),
  }));
  const message = { maxWaitMs: 500, minBytes: 1, sessionId: epoch > 0 ? sessionId : 0, sessionEpoch: epoch, topics };
  return encodeRequest('Fetch', version, { correlationId: 1, clientId: 'bench' }, message).subarray(4);
}

function bothWays(label: string, held: number, named: number): Row[] {
  const payload = request(named, held > 0 ? 1 : -1);
  const { headerBytes } = decodeRequestHeader(payload);
  // Behind maxWaitMs, minBytes, maxBytes, isolation level and session id.
  const epochAt = headerBytes + 17;
  const way = (kind: string, decide: (arrival: ReturnType<typeof arrivalOf>) => ReturnType<Row['handle']>): Row => {
    const connection = {};
    if (held > 0) begin(connection, held);
    const sessions = fetchSessions(connection);
    return {
      label: `${label}, ${kind}`,
      handle() {
        const going = held > 0 ? sessions.find(sessionId) : undefined;
        if (going !== undefined) payload.writeInt32BE(going.epoch, epochAt);
        return decide(arrivalOf(connection));
      },
    };
  };
  return [
    // Every quarter of a second a session is decided about as a whole, which is the handler's.
    way('on its bytes', (arrival) => {
      const delivered = decideFetch(payload, headerBytes, payload.length, arrival);
      return delivered === null ? decoded(payload, headerBytes, arrival) : fetchVerdict(delivered);
    }),
    way('decoded', (arrival) => decoded(payload, headerBytes, arrival)),
  ];
}

function decoded(
  payload: Buffer,
  headerBytes: number,
  arrival: ReturnType<typeof arrivalOf>,
): ReturnType<typeof fetch.handle> {
  return fetch.handle({ ...arrival, name: 'Fetch', request: decodeRequest('Fetch', version, payload, headerBytes) });
}

function arrivalOf(connection: object) {
  return {
    version,
    access: new RequestAccess({ session: session as GateSession }, 'Fetch v17'),
    cluster: cluster as ClusterView,
    addresses,
    connection,
    sessions: fetchSessions(connection),
    upstreamVersions: BrokerVersions.none,
    stands: (topicKey: string, partition: number): boolean =>
      access.decide('read', 'topic', names.get(topicKey) ?? '', partition, Date.now()).effect === 'permit',
    nowMs: performance.now(),
    last: null,
  };
}

/** The connection has a session that holds so many partitions. */
function begin(connection: object, partitions: number): void {
  const payload = request(partitions, 0);
  const delivered = decideFetch(
    payload,
    decodeRequestHeader(payload).headerBytes,
    payload.length,
    arrivalOf(connection),
  );
  if (delivered === null) throw new Error('the session was not begun');
  void fetchVerdict(delivered).onResponse?.({
    throttleTimeMs: 0,
    errorCode: 0,
    sessionId,
    responses: [],
    nodeEndpoints: [],
  });
}

function round(row: Row): { readonly us: number; readonly heapBytes: number } {
  collect();
  const heapBefore = process.memoryUsage().heapUsed;
  for (let left = requestsForHeap; left > 0; left -= 1) void row.handle();
  // Few enough for no garbage to have been collected yet.
  const heapBytes = (process.memoryUsage().heapUsed - heapBefore) / requestsForHeap;
  const before = process.cpuUsage();
  const end = performance.now() + roundMs;
  let handled = 0;
  for (; performance.now() < end; handled += 20) for (let left = 20; left > 0; left -= 1) void row.handle();
  const { user, system } = process.cpuUsage(before);
  return { us: (user + system) / handled, heapBytes };
}

const rows = [
  ...bothWays('session of 1 partition, 1 named', 1, 1),
  ...bothWays('session of 2,000 partitions, none named', 2_000, 0),
  ...bothWays('session of 2,000 partitions, 1 named', 2_000, 1),
  ...bothWays('no session, 1 partition', 0, 1),
  ...bothWays('no session, 100 partitions', 0, 100),
  ...bothWays('no session, 2,000 partitions', 0, 2_000),
];
const measured = rows.map((row) => ({ row, figures: [] as { us: number; heapBytes: number }[] }));
for (let index = 0; index < roundsToWarmUp + rounds; index += 1) {
  for (const { row, figures } of measured) {
    const verdict = row.handle();
    if (verdict === null || verdict instanceof Promise || verdict.kind !== 'forward' || verdict.request !== undefined) {
      throw new Error(`${row.label}: not forwarded as it came`);
    }
    const figure = round(row);
    if (index >= roundsToWarmUp) figures.push(figure);
  }
}
process.stdout.write(`${'CPU µs'.padStart(9)}${'(min)'.padStart(9)}${'heap bytes'.padStart(13)}\n`);
for (const { row, figures } of measured) {
  const us = spreadOf(figures.map((figure) => figure.us));
  const heap = spreadOf(figures.map((figure) => figure.heapBytes));
  const cells = [us.median.toFixed(2).padStart(9), us.min.toFixed(2).padStart(9), heap.median.toFixed(0).padStart(13)];
  process.stdout.write(`${cells.join('')}   ${row.label}\n`);
}
