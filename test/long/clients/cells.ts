/** One function per kind of cell: sends a client through a task and holds what it and the broker say against what must be. */
import assert from 'node:assert/strict';
import type { Client } from './client.ts';
import { type Ground, briefSeconds, deniedTopic } from './ground.ts';
import { assertAllReceived, assertAllShared, binaryRecords, textRecords } from './records.ts';
import type {
  AdministerAnswer,
  Auth,
  AuthKind,
  CopyAnswer,
  DenialsAnswer,
  GroupProtocol,
  RoundTripAnswer,
  SteadyAnswer,
} from './task.ts';

const recordCount = 300;
const timeoutMs = 60_000;
/** Long enough for the transaction of one that was killed to be given up by the broker. */
const copyTimeoutMs = 90_000;
const topicDenied =
  /TOPIC_AUTHORIZATION_FAILED|TopicAuthorization|topic authorization failed|not authorized to access topic/i;
const groupDenied =
  /GROUP_AUTHORIZATION_FAILED|GroupAuthorization|group authorization failed|not authorized to access group/i;

const transactionDenied =
  /TRANSACTIONAL_ID_AUTHORIZATION_FAILED|TransactionalIdAuthorization|transactional.?id authorization failed/i;

/** Several lifetimes of the brief tokens, at a pace that makes each of them matter. */
const steadySeconds = Number(process.env['SLUICE_CLIENTS_STEADY_SECONDS'] ?? (briefSeconds * 7) / 2);
const steadyIntervalMs = 40;

/** Round trip in a group of this protocol, then the denials. @returns what the matrix notes */
export async function dataCell(
  ground: Ground,
  client: Client,
  kind: AuthKind,
  groupProtocol: GroupProtocol = 'classic',
): Promise<string> {
  const topic = await ground.openTopic(client.id);
  const group = `${topic}-${groupProtocol}`;
  if (groupProtocol === 'share') await ground.shareFromEarliest(group);
  const records = client.textOnly === true ? textRecords(recordCount) : binaryRecords(recordCount);
  const base = common(ground, ground.auth(kind), client.id);
  const { received } = await client.run<RoundTripAnswer>({
    ...base,
    step: 'roundtrip',
    topic,
    group,
    groupProtocol,
    records,
  });
  if (groupProtocol === 'share') assertAllShared(records, received);
  else {
    assertAllReceived(records, received);
    assert.equal(await ground.committed(group, topic), records.length, 'committed offsets');
  }
  const denials = await client.run<DenialsAnswer>({
    ...base,
    step: 'denials',
    openTopic: topic,
    deniedTopic,
    openGroup: `${group}-denials`,
    deniedGroup: `shut-${client.id}`,
    groupProtocol,
  });
  if (denials.produce !== 'unsupported') assert.match(denials.produce, topicDenied, 'producing to a denied topic');
  if (denials.consume !== 'unsupported') assert.match(denials.consume, topicDenied, 'reading a denied topic');
  if (denials.group !== 'unsupported')
    assert.match(denials.group, client.saysOfDenied?.group ?? groupDenied, 'joining a denied group');
  return '';
}

/** Produces and reads over several lifetimes of its token. */
export async function renewalCell(ground: Ground, client: Client, kind: AuthKind): Promise<string> {
  const topic = await ground.openTopic(`${client.id}-renewal`);
  const count = Math.round((steadySeconds * 1_000) / steadyIntervalMs);
  const clientId = `${client.id}-brief`;
  const answer = await client.run<SteadyAnswer>({
    ...common(ground, ground.auth(kind, true), clientId),
    step: 'steady',
    topic,
    group: `${topic}-group`,
    groupProtocol: 'classic',
    count,
    intervalMs: steadyIntervalMs,
    timeoutMs: steadySeconds * 1_000 + 45_000,
  });
  const all = Array.from({ length: count }, (_, index) => String(index));
  const inOrder = (values: readonly string[]): string[] =>
    values.toSorted((left, right) => Number(left) - Number(right));
  assert.deepEqual(answer.failures, [], 'sends that failed');
  assert.equal(new Set(answer.acknowledged).size, count, 'records acknowledged');
  const stored = (await ground.readTopic(topic, count, 20_000)).map(({ value }) => value);
  assert.deepEqual(inOrder(stored), all, 'records in the topic');
  const values = answer.received.map(({ value }) => value);
  assert.deepEqual(inOrder(values), all, 'records the consumer was given');
  const renewals = ground.renewals(clientId);
  // With SASL handshake v0 a client does not say its id.
  const expiries = ground.expiries(clientId) + (client.reconnects === true ? ground.expiries('') : 0);
  const cut = expiries === 0 ? '' : `, ${expiries} idle cut`;
  if (client.reconnects === true) {
    assert.equal(renewals, 0, 'renewals of a client that has none');
    return `${expiries} reconnects`;
  }
  const lifetimes = Math.floor(steadySeconds / briefSeconds);
  assert.ok(
    renewals >= 2 * (lifetimes - 1),
    `${renewals} renewals in ${lifetimes} lifetimes on two connections or more`,
  );
  return `${renewals} renewals${cut}`;
}

/** Consume, transform, produce in transactions, with aborted ones in between. */
export async function transactionCell(ground: Ground, client: Client, kind: AuthKind): Promise<string> {
  const from = await filledTopic(ground, `${client.id}-from`, recordCount);
  const to = await ground.openTopic(`${client.id}-to`);
  const answer = await client.run<CopyAnswer>({
    ...common(ground, ground.auth(kind), client.id),
    step: 'copy',
    from,
    to,
    group: `${from}-copy`,
    transactionalId: `${from}-copy`,
    deniedTransactionalId: 'shut',
    batch: 20,
    count: recordCount,
  });
  await assertCopied(ground, to, recordCount);
  assert.ok(answer.aborted > 0, 'no transaction was aborted');
  assert.ok((await ground.committed(`${from}-copy`, from)) >= recordCount, 'offsets committed in the transactions');
  if (answer.denied !== 'unsupported') {
    assert.match(answer.denied, client.saysOfDenied?.transaction ?? transactionDenied, 'a denied transactional id');
  }
  return '';
}

/** Values `0` to `count - 1`, written by the harness past the gateway. */
export async function filledTopic(
  ground: Pick<Ground, 'openTopic' | 'write' | 'endOf'>,
  what: string,
  count: number,
): Promise<string> {
  const topic = await ground.openTopic(what);
  await ground.write(
    topic,
    Array.from({ length: count }, (_, index) => ({ key: `key-${index % 8}`, value: String(index) })),
  );
  assert.equal(await ground.endOf(topic), count, 'records the harness wrote');
  return topic;
}

/** Each input's copy once, those of a key in order. */
export async function assertCopied(ground: Pick<Ground, 'readTopic'>, to: string, count: number): Promise<void> {
  const stored = await ground.readTopic(to, count, copyTimeoutMs);
  const indexes = stored.map(({ value }) => Number(/^copy of (\d+)$/.exec(value)?.[1] ?? -1));
  assert.deepEqual(
    indexes.toSorted((left, right) => left - right),
    Array.from({ length: count }, (_, index) => index),
    'each input once in the output',
  );
  const lastOf = new Map<string, number>();
  for (const [at, { key }] of stored.entries()) {
    const index = indexes[at] ?? -1;
    assert.ok((lastOf.get(key) ?? -1) < index, `copy ${index} stands behind a later one of its key`);
    lastOf.set(key, index);
  }
}

export async function adminCell(ground: Ground, client: Client, kind: AuthKind): Promise<string> {
  const open = await ground.openTopic(`${client.id}-admin`);
  const newTopic = `${open}-new`;
  const answer = await client.run<AdministerAnswer>({
    ...common(ground, ground.auth(kind), client.id),
    step: 'administer',
    newTopic,
    deniedTopic: 'shut-new',
  });
  assert.ok(answer.listed.includes(open), 'a topic that is granted is listed');
  assert.ok(!answer.listed.includes(deniedTopic), 'a topic that is not granted is not listed');
  assert.deepEqual([answer.created, answer.deleted], [true, true]);
  assert.match(answer.denied, topicDenied, 'making a denied topic');
  return '';
}

export interface CommonTask {
  readonly bootstrap: string;
  readonly caFile: string;
  readonly auth: Auth;
  readonly clientId: string;
  readonly timeoutMs: number;
}

export function common(ground: Ground, auth: Auth, clientId: string): CommonTask {
  const { bootstrap, authority } = ground.scene;
  return { bootstrap, caFile: authority?.caFile ?? '', auth, clientId, timeoutMs };
}
