/** An honest client beside the attack: writes a record and reads it back, again and again, and never fails. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../../harness/batches.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import { batches, parseBatch } from '../../../src/ports/kafka/protocol/protocol.ts';

const pauseMs = 100;
/** Rounds on one connection; then a new one is opened, which must work as well. */
const roundsPerConnection = 20;

export class Canary {
  readonly #address: string;
  readonly #token: string;
  readonly #milliseconds: number[] = [];
  #connections = 0;
  #stopped = false;
  #singing: Promise<void> | null = null;

  constructor(address: string, token: string) {
    this.#address = address;
    this.#token = token;
  }

  start(): void {
    this.#singing = this.#sing();
    // Looked at in `stop`.
    this.#singing.catch(() => {});
  }

  /** @throws what went wrong for it */
  async stop(): Promise<string> {
    this.#stopped = true;
    await this.#singing;
    const sorted = this.#milliseconds.toSorted((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
    return `${sorted.length} rounds on ${this.#connections} connections, none failed; a round took ${at(0.5)} ms (median), ${at(0.99)} ms (99 %), ${at(1)} ms (longest)`;
  }

  async #sing(): Promise<void> {
    while (!this.#stopped) {
      const client = await WireClient.connect(this.#address);
      this.#connections += 1;
      assert.equal((await client.authenticate(this.#token)).errorCode, 0);
      for (let round = 0; round < roundsPerConnection && !this.#stopped; round += 1) {
        const begun = performance.now();
        await writeAndRead(client, `${this.#connections}-${round}`);
        this.#milliseconds.push(performance.now() - begun);
        await sleep(pauseMs);
      }
      client.close();
    }
  }
}

async function writeAndRead(client: WireClient, value: string): Promise<void> {
  const topicData = [{ name: 'canary', partitionData: [{ index: 0, records: batchOf([value]) }] }];
  const written = (await client.ask('Produce', 9, { acks: -1, timeoutMs: 10_000, topicData })).responses[0];
  const { errorCode, baseOffset } = written?.partitionResponses[0] ?? { errorCode: -1, baseOffset: -1n };
  assert.equal(errorCode, 0);
  const read = await client.ask('Fetch', 12, {
    maxWaitMs: 1_000,
    minBytes: 1,
    maxBytes: 1_000_000,
    sessionEpoch: -1,
    topics: [
      { topic: 'canary', partitions: [{ partition: 0, fetchOffset: baseOffset, partitionMaxBytes: 1_000_000 }] },
    ],
  });
  const records = read.responses[0]?.partitions[0]?.records ?? Buffer.alloc(0);
  const values = [...batches(records)].flatMap(({ position }) =>
    parseBatch(records, position).records.map((one) => String(one.value)),
  );
  assert.deepEqual(values, [value]);
}
