/**
 * A note by the log's own key that a tombstone is the gateway's and under a checkpoint: written before the first file of
 * its stretch goes. Without one nothing is removed on a tombstone's word: whoever can write into the folder can write a
 * line that looks like one. Verifiers need none of this: they find the tombstone in the signed tree.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { SignerKey, VerifierKey } from './keys.ts';
import { formatNote, parseNote } from './note.ts';
import { checkpointFolder } from './store.ts';
import { SluiceError } from '../../lib/errors.ts';
import { leafHash } from '../merkle/hash.ts';
import type { Tombstone } from '../read/tombstones.ts';

export async function writePermit(
  directory: string,
  tombstone: Tombstone,
  key: SignerKey,
  timeSeconds: number,
): Promise<void> {
  const path = pathOf(directory, tombstone);
  const text = textFor(tombstone, key.verifier.name);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(formatNote({ text, signatures: key.sign(text, timeSeconds) }));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** @throws SluiceError `audit-tree-broken` for the first tombstone that none of the log's own keys signed for */
export async function mustBePermitted(
  directory: string,
  tombstones: readonly Tombstone[],
  keys: readonly VerifierKey[],
): Promise<void> {
  for (const tombstone of tombstones) {
    if (await isPermitted(directory, tombstone, keys)) continue;
    const { first_segment: first, last_segment: last } = tombstone.data;
    throw new SluiceError(
      'audit-tree-broken',
      `Segments from ${first} to ${last} are gone from ${directory}, and the gateway never signed the tombstone over them (${tombstone.id}): somebody else removed them. Keep the folder as it is for whoever looks into it, and give the gateway another folder.`,
    );
  }
}

async function isPermitted(directory: string, tombstone: Tombstone, keys: readonly VerifierKey[]): Promise<boolean> {
  try {
    const { text, signatures } = parseNote(await readFile(pathOf(directory, tombstone)));
    return keys.some(
      (key) =>
        text === textFor(tombstone, key.name) && signatures.some((each) => key.check(text, each).kind === 'plain'),
    );
  } catch {
    return false;
  }
}

/** Never the text of a checkpoint: its second line is no size. */
function textFor({ line }: Tombstone, origin: string): string {
  return `${origin}\ntombstone\n${leafHash(line).toString('base64')}\n`;
}

export function permitName({ id }: Tombstone): string {
  return `${id.replace(/[^0-9a-z.-]/g, '')}.tombstone`;
}

function pathOf(directory: string, tombstone: Tombstone): string {
  return join(directory, checkpointFolder, permitName(tombstone));
}
