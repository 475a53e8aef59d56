/** Which records of a delivered batch the client's application saw, as its consumer decides it. */
import type { JsonObject, JsonValue } from '../../../model/json.ts';
import { type BatchHeader, isControl, isTransactional } from '../protocol/protocol.ts';

/** One answer's part of one partition: its batches are asked about in order. */
export class DeliveredRecords {
  readonly #from: bigint;
  readonly #aborted: { producerId: bigint; firstOffset: bigint }[];
  readonly #acquired: readonly { first: bigint; last: bigint }[] | null;
  /** Producers whose transaction, where the walk stands, ends in an abort. */
  readonly #aborting = new Set<bigint>();

  /** @param meta of the item: `from`, `aborted` and `acquired`, each where there is something to say */
  constructor(meta: JsonObject) {
    this.#from = offset(meta['from']) ?? -1n;
    this.#aborted = pairs(meta['aborted'])
      .map(([producerId, firstOffset]) => ({ producerId, firstOffset }))
      .toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
    this.#acquired =
      meta['acquired'] === undefined ? null : pairs(meta['acquired']).map(([first, last]) => ({ first, last }));
  }

  /** @returns whether the batch has any record for the client */
  batch(header: BatchHeader): boolean {
    const last = header.baseOffset + BigInt(header.lastOffsetDelta);
    for (let next = this.#aborted[0]; next !== undefined && next.firstOffset <= last; next = this.#aborted[0]) {
      this.#aborting.add(next.producerId);
      this.#aborted.shift();
    }
    if (isControl(header.attributes)) {
      // The marker that ends the transaction; what a producer writes behind it is another one.
      this.#aborting.delete(header.producerId);
      return false;
    }
    return !(isTransactional(header.attributes) && this.#aborting.has(header.producerId));
  }

  has(at: bigint): boolean {
    if (at < this.#from) return false;
    return this.#acquired === null || this.#acquired.some(({ first, last }) => at >= first && at <= last);
  }
}

function pairs(value: JsonValue | undefined): [bigint, bigint][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair: JsonValue): [bigint, bigint][] => {
    const [a, b] = Array.isArray(pair) ? pair.map((one: JsonValue) => offset(one)) : [];
    return typeof a === 'bigint' && typeof b === 'bigint' ? [[a, b]] : [];
  });
}

function offset(value: JsonValue | undefined): bigint | null {
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? BigInt(value) : null;
}
