/** Which keys may have signed which checkpoints: the pinned ones, and those that the log itself passes the signing on to. */
import { signedBy } from '../checkpoint/checkpoint.ts';
import type { Checkpoint, Signed } from '../checkpoint/checkpoint.ts';
import { VerifierKey } from '../checkpoint/keys.ts';

/** `log.key-changed`, as it stands in the log. */
export interface KeyChange {
  readonly oldKey: string;
  readonly newKey: string;
  /** Position in the tree. */
  readonly index: number;
}

interface Reign {
  readonly key: VerifierKey;
  /** Sizes of checkpoints that the key speaks for; both ends inclusive. */
  readonly from: number;
  readonly to: number;
}

export interface Verdict extends Signed {
  /** Whether the key whose turn it was signed, and no trusted signature is wrong. */
  readonly trusted: boolean;
}

/**
 * Pinned keys are trusted for what they signed. A change of keys is taken where the entry that tells of it is in a tree
 * that the key before it and the key after it both signed, and whose root is that of the entries here; from then on the
 * old key says nothing any more. An auditor who pins the new key follows the same link backwards.
 */
export class Trust {
  readonly #reigns: readonly Reign[];

  /** @param proved checkpoints whose root is that of the entries here */
  constructor(pinned: readonly VerifierKey[], changes: readonly KeyChange[], proved: readonly Checkpoint[]) {
    const links = changes.filter((change) => isLinked(change, proved));
    const texts = new Set(pinned.map(({ text }) => text));
    for (let before = -1; before !== texts.size;) {
      before = texts.size;
      for (const { oldKey, newKey } of links) if (texts.has(oldKey) || texts.has(newKey)) texts.add(oldKey).add(newKey);
    }
    this.#reigns = [...texts].map((text) => ({
      key: VerifierKey.parse(text),
      from: links.find(({ newKey }) => newKey === text)?.index ?? -1,
      to: links.findLast(({ oldKey }) => oldKey === text)?.index ?? Infinity,
    }));
  }

  get keys(): readonly VerifierKey[] {
    return this.#reigns.map(({ key }) => key);
  }

  of(checkpoint: Checkpoint): Verdict {
    const signed = signedBy(checkpoint, this.keys);
    // The change itself is at `index`: checkpoints above it are the new key's, those up to it the old one's.
    const entitled = this.#reigns.filter(({ from, to }) => from < checkpoint.size && checkpoint.size <= to);
    const holds = entitled.some(({ key }) => signed.by.includes(key) && key.name === checkpoint.origin);
    return { ...signed, trusted: holds && !signed.wrong };
  }
}

function isLinked({ oldKey, newKey, index }: KeyChange, proved: readonly Checkpoint[]): boolean {
  let pair: VerifierKey[];
  try {
    pair = [VerifierKey.parse(oldKey), VerifierKey.parse(newKey)];
  } catch {
    return false;
  }
  return proved.some((checkpoint) => {
    if (checkpoint.size <= index) return false;
    const { by, wrong } = signedBy(checkpoint, pair);
    return by.length === 2 && !wrong;
  });
}
