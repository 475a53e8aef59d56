/** Puts to each produced item what the broker answered to it, which stands some items behind. Order is kept. */
import type { StoredItem } from '../../../recording/recording.ts';
import type { Fate } from './contract.ts';

export interface AnsweredItem {
  readonly item: StoredItem;
  /** Of the recording that the item is in: digests are by its key. */
  readonly digest: (parts: readonly Buffer[]) => Buffer;
  readonly fate: Fate;
  /** Of the first record, where the broker gave one. */
  readonly baseOffset: bigint | null;
}

interface Slot {
  readonly item: StoredItem;
  readonly digest: AnsweredItem['digest'];
  waits: boolean;
  fate: Fate;
  baseOffset: bigint | null;
}

/** What waits for an answer that may never come is let go beyond these: a client may have gone before it. */
const waitingBytesMax = 134_217_728;
const waitingItemsMax = 10_000;
const waitingMs = 300_000;

export interface ReadItem {
  readonly item: StoredItem;
  readonly digest: AnsweredItem['digest'];
}

export async function* withAnswers(items: AsyncIterable<ReadItem>): AsyncGenerator<AnsweredItem> {
  const slots: Slot[] = [];
  let bytes = 0;
  const take = (): Slot | undefined => {
    const slot = slots.shift();
    bytes -= slot?.item.payload.length ?? 0;
    return slot;
  };
  for await (const { item, digest } of items) {
    if (item.kind === 'answered') answer(slots, item);
    else {
      const waits = item.kind === 'produced' && item.meta['unanswered'] !== true;
      const written: Fate = { kind: item.kind === 'produced' ? 'unknown' : 'written' };
      slots.push({ item, digest, waits, fate: written, baseOffset: null });
      bytes += item.payload.length;
    }
    for (let first = slots[0]; first !== undefined; first = slots[0]) {
      const over = bytes > waitingBytesMax || slots.length > waitingItemsMax || item.atMs - first.item.atMs > waitingMs;
      if (first.waits && !over) break;
      const slot = take();
      if (slot !== undefined) yield slot;
    }
  }
  for (let slot = take(); slot !== undefined; slot = take()) yield slot;
}

function answer(slots: readonly Slot[], { meta }: StoredItem): void {
  const slot = slots.find(
    ({ waits, item }) =>
      waits &&
      item.meta['exchange'] === meta['exchange'] &&
      item.meta['topic'] === meta['topic'] &&
      item.meta['partition'] === meta['partition'],
  );
  if (slot === undefined) return;
  const code = typeof meta['error'] === 'number' ? meta['error'] : 0;
  slot.waits = false;
  slot.fate = code === 0 ? { kind: 'written' } : { kind: 'refused', code };
  const offset = typeof meta['offset'] === 'string' ? BigInt(meta['offset']) : -1n;
  slot.baseOffset = offset < 0n ? null : offset;
}
