/**
 * A topic that is deleted and made again while clients work on it, and beside it one that they may not touch. An id
 * of a topic that is gone never stands for another topic, and no client is refused what is its own.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../../harness/batches.ts';
import { type Scene, startScene } from '../../../harness/scene.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import { errorCodes, errorName } from '../../../src/ports/kafka/protocol/protocol.ts';
import { Consuming, Producing, type Stage } from './clients.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [open], actions: [describe, read, write] }
`;
/** How long a client may take to find its way to the topic's next incarnation. */
const recoveryMs = 20_000;

export function startAgainScene(): Promise<Scene> {
  return startScene({
    clients: [{ id: 'app', secret: 's', groups: ['team'], ttlSeconds: 7_200 }],
    policies: { 'team.yaml': policy },
  });
}

/** @returns what happened, in a line */
export async function deleteAgainAndAgain(scene: Scene, incarnations: number): Promise<string> {
  const token = await scene.idp.token('app');
  const wrong: string[] = [];
  let stopped = false;
  const stage: Stage = {
    topic: 'open',
    connect: () => connected(scene, token),
    stopped: () => stopped,
    wrong: (what) => void wrong.push(what),
  };
  const ids = await Incarnations.begin(scene, stage);
  const byId = new Producing(stage, 'id');
  const reader = new Consuming(stage, 'id');
  const workers = [new Producing(stage, 'name'), byId, new Consuming(stage, 'name'), reader];
  const working = Promise.all(workers.map((worker) => worker.work()));
  working.catch(() => {});
  try {
    for (let count = 0; count < incarnations; count += 1) {
      await ids.replace();
      const before = workers.map(({ done }) => done);
      await until(`every client is at work on incarnation ${count + 2}`, () =>
        workers.every(({ done }, index) => done > (before[index] ?? 0) + 3),
      );
      await ids.probe();
      assert.deepEqual(wrong, [], 'nothing of their own is refused');
    }
    const last = new Map(byId.acknowledged);
    await until('what was acknowledged is read', () =>
      [...last].every(([offset, value]) => reader.read.get(offset) === value),
    );
  } finally {
    stopped = true;
    await working;
    ids.close();
  }
  const did = workers.map(({ label, done, recoveries }) => `${label} ${done} (${recoveries} recoveries)`).join(', ');
  return `${incarnations} times anew: ${did}; ${ids.probes} probes with stale and foreign ids, none let through`;
}

async function connected(scene: Scene, token: string): Promise<WireClient> {
  const client = await WireClient.connect(scene.bootstrap);
  const answer = await client.authenticate(token);
  assert.equal(answer.errorCode, 0);
  return client;
}

/** The topics as they come and go, straight at the broker; and attempts with every id that there ever was. */
class Incarnations {
  probes = 0;
  readonly #admin: WireClient;
  readonly #attacker: WireClient;
  readonly #stale: string[] = [];
  #open = '';
  #closed = '';

  private constructor(admin: WireClient, attacker: WireClient) {
    this.#admin = admin;
    this.#attacker = attacker;
  }

  static async begin(scene: Scene, stage: Stage): Promise<Incarnations> {
    const admin = await WireClient.connect(scene.kafka.bootstrap());
    const made = new Incarnations(admin, await stage.connect());
    await made.#create();
    return made;
  }

  /** Both topics go, and new ones come: the forbidden name in between, so that it follows an id that was allowed. */
  async replace(): Promise<void> {
    this.#stale.push(this.#open, this.#closed);
    const { responses } = await this.#admin.ask('DeleteTopics', 5, {
      topicNames: ['open', 'closed'],
      timeoutMs: 10_000,
    });
    assert.deepEqual(
      responses.map(({ errorCode }) => errorCode),
      [0, 0],
    );
    await this.#create();
  }

  async #create(): Promise<void> {
    for (const name of ['closed', 'open']) {
      await until(`topic ${name} is made`, async () => {
        const topics = [{ name, numPartitions: 1, replicationFactor: 1 }];
        const made = (await this.#admin.ask('CreateTopics', 7, { topics, timeoutMs: 10_000 })).topics[0];
        if (made?.errorCode !== 0) return false;
        if (name === 'open') this.#open = made.topicId;
        else this.#closed = made.topicId;
        return true;
      });
    }
    await until('the forbidden topic holds a record', async () => {
      const topicData = [{ name: 'closed', partitionData: [{ index: 0, records: batchOf(['secret']) }] }];
      const answer = await this.#admin.ask('Produce', 9, { acks: -1, timeoutMs: 5_000, topicData });
      return answer.responses[0]?.partitionResponses[0]?.errorCode === 0;
    });
  }

  /** Stale ids are unknown, whatever their names are by now; the forbidden topic's is denied. */
  async probe(): Promise<void> {
    const refused: readonly number[] = [
      errorCodes.UNKNOWN_TOPIC_ID,
      errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      errorCodes.TOPIC_AUTHORIZATION_FAILED,
    ];
    for (const topicId of this.#stale.slice(-8)) {
      for (const code of await this.#attempts(topicId)) {
        assert.ok(refused.includes(code), `a stale id was answered with ${errorName(code)}`);
      }
    }
    for (const code of await this.#attempts(this.#closed)) assert.equal(code, errorCodes.TOPIC_AUTHORIZATION_FAILED);
    const end = await this.#admin.ask('ListOffsets', 7, {
      replicaId: -1,
      topics: [{ name: 'closed', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    });
    assert.equal(end.topics[0]?.partitions[0]?.offset, 1n, 'nobody has written to the forbidden topic');
  }

  async #attempts(topicId: string): Promise<number[]> {
    this.probes += 3;
    const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }];
    const asked = { maxWaitMs: 10, minBytes: 0, maxBytes: 1_000, sessionEpoch: -1, topics: [{ topicId, partitions }] };
    const read = (await this.#attacker.ask('Fetch', 15, asked)).responses[0]?.partitions[0];
    assert.equal(read?.records?.length ?? 0, 0, 'no record comes by a stale id');
    const topicData = [{ topicId, partitionData: [{ index: 0, records: batchOf(['by a stale id']) }] }];
    const written = await this.#attacker.ask('Produce', 13, { acks: -1, timeoutMs: 5_000, topicData });
    const told = (await this.#attacker.ask('Metadata', 12, { topics: [{ topicId, name: null }] })).topics[0];
    assert.ok(told?.name !== 'closed', 'nor does a name that is not to be known');
    return [read?.errorCode ?? -1, written.responses[0]?.partitionResponses[0]?.errorCode ?? -1, told?.errorCode ?? -1];
  }

  close(): void {
    this.#admin.close();
    this.#attacker.close();
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + recoveryMs;
  while (!(await holds())) {
    if (performance.now() > deadline) assert.fail(`not within ${recoveryMs} ms: ${what}`);
    await sleep(20);
  }
}
