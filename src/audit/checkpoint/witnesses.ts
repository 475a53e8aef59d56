/** Asks the witnesses, each in the background, and keeps what they sign beside the log's own signatures. */
import { hashBytes, leafHash } from '../merkle/hash.ts';
import { ProofBuilder, consistencyRanges } from '../merkle/proof.ts';
import { auditWitnessLeavesMax } from '../../lib/limits.ts';
import type { WitnessSettings } from '../../model/settings.ts';
import type { CompactRange } from '../merkle/compact-range.ts';
import { linesOf } from '../read/lines.ts';
import { logSteps } from '../read/steps.ts';
import { subtreesIn } from '../read/tombstones.ts';
import { Courier } from '../sinks/courier.ts';
import type { CourierParts, SinkStatus } from '../sinks/courier.ts';
import { RecentLeaves } from './recent-leaves.ts';
import type { CheckpointStore } from './store.ts';
import { WitnessClient } from './witness-client.ts';

export class Witnesses {
  readonly #clients: readonly WitnessClient[];
  readonly #couriers: readonly Courier[];
  readonly #recent: RecentLeaves;

  /** @param start the tree as it is @throws SluiceError `key-malformed` */
  constructor(
    directory: string,
    ask: readonly WitnessSettings[],
    start: CompactRange,
    store: CheckpointStore,
    parts: CourierParts,
  ) {
    this.#recent = new RecentLeaves(start, auditWitnessLeavesMax);
    const prove = async (oldSize: number, size: number): Promise<readonly Uint8Array[]> =>
      this.#recent.proof(oldSize, size) ?? proofFromFiles(directory, oldSize, size);
    // What each saw is learned from its first answer.
    this.#clients = ask.map((settings) => new WitnessClient(settings, 0, prove));
    this.#couriers = this.#clients.map((client) => {
      const send = async (size: number, note: string): Promise<void> => {
        await store.cosign(size, await client.cosign(size, note));
        this.#recent.advance(Math.min(...this.#clients.map(({ seen }) => seen)));
      };
      return new Courier({ name: `witness/${client.key.name}`, send }, parts);
    });
  }

  /** @param leaves their hashes, one behind the other */
  add(leaves: Uint8Array): void {
    for (let at = 0; at < leaves.length; at += hashBytes) this.#recent.add(leaves.subarray(at, at + hashBytes));
  }

  /** Also where the tree is the same as before: its cosignatures then say that it still ends there. */
  ask(size: number, note: string): void {
    if (size > 0) for (const courier of this.#couriers) courier.take(size, note);
  }

  status(): SinkStatus[] {
    return this.#couriers.map((courier) => courier.status());
  }

  async close(): Promise<void> {
    await Promise.all(this.#couriers.map((courier) => courier.close()));
  }
}

/** Reads the whole log: for a witness that has not been asked for long. @throws RangeError where retention removed what the proof needs */
async function proofFromFiles(directory: string, oldSize: number, size: number): Promise<readonly Uint8Array[]> {
  const builder = new ProofBuilder(consistencyRanges(oldSize, size));
  let at = 0;
  for (const step of (await logSteps(directory)).steps) {
    if (step.kind === 'gone') {
      for (const { start, level, hash } of subtreesIn(step.tombstone.data) ?? []) {
        builder.add(hash, level);
        at = start + 2 ** level;
      }
      continue;
    }
    for await (const { lines } of linesOf(step.segment.path, 0, step.segment.cutAt)) {
      for (const line of lines.slice(0, Math.max(0, size - at))) builder.add(leafHash(line));
      at += lines.length;
      if (at >= size) return builder.proof();
    }
  }
  return builder.proof();
}
