/** All recordings of a session, read together: what happened in the order in which it happened. */
import type { StoredItem } from './format.ts';
import type { OpenRecording, ReadResult } from './reader.ts';

export interface SessionItem {
  readonly item: StoredItem;
  readonly digest: OpenRecording['digest'];
}

interface Head {
  readonly recording: OpenRecording;
  readonly items: AsyncGenerator<StoredItem, ReadResult>;
  item: StoredItem;
}

/**
 * By time, and within a recording in its own order, which is never changed.
 * @param onEnd called for each recording that was read to its end
 * @throws SluiceError `recording-altered`
 */
export async function* readTogether(
  recordings: readonly OpenRecording[],
  onEnd: (recording: OpenRecording, result: ReadResult) => void,
): AsyncGenerator<SessionItem> {
  const heads: Head[] = [];
  const advance = async (
    recording: OpenRecording,
    items: AsyncGenerator<StoredItem, ReadResult>,
  ): Promise<StoredItem | null> => {
    const next = await items.next();
    if (next.done !== true) return next.value;
    onEnd(recording, next.value);
    return null;
  };
  try {
    for (const recording of recordings) {
      const items = recording.items();
      const item = await advance(recording, items);
      if (item !== null) heads.push({ recording, items, item });
    }
    for (;;) {
      const first = heads.reduce<Head | null>((a, b) => (a === null || b.item.atMs < a.item.atMs ? b : a), null);
      if (first === null) return;
      yield { item: first.item, digest: (parts) => first.recording.digest(parts) };
      const item = await advance(first.recording, first.items);
      if (item === null) heads.splice(heads.indexOf(first), 1);
      else first.item = item;
    }
  } finally {
    // Whoever has seen enough leaves files open otherwise.
    for (const { items } of heads) await items.return(neverEnded);
  }
}

const neverEnded: ReadResult = {
  ended: 'cut',
  tornBytes: 0,
  segments: 0,
  items: 0,
  records: 0,
  bytes: 0,
  segmentDigests: [],
  digest: null,
};
