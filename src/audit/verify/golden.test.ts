/**
 * Logs as the writer wrote them, never written again: what could be verified once must be verifiable for good. Their
 * roots were computed by another program (Python's hashlib, after RFC 6962 §2.1).
 */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VerifierKey } from '../checkpoint/keys.ts';
import { WitnessKey } from '../checkpoint/witness-key.ts';
import { parseEntry } from '../read/segments.ts';
import { proveEntry, verifyProof } from './prove.ts';
import { verifyLog } from './verify.ts';

interface Golden {
  readonly entries: number;
  readonly root: string;
  readonly pinned: string;
  readonly completeness: 'complete' | 'gaps-reported';
  /** Entries that retention removed. */
  readonly retired?: number;
  /** Who cosigned the newest checkpoint. */
  readonly witness?: string;
}

const golden: Readonly<Record<string, Golden>> = {
  '2': {
    entries: 2,
    root: 'L9k2IA2XLjt0Pb7+DRh92GOq41WL1muFF5XLpHGHbf4=',
    pinned: 'sluice/golden+39f620ea+AUvZaXQMzbGIYh16yGrLTckMmzEhfo7t452uICgwVu3f',
    completeness: 'complete',
  },
  '3': {
    entries: 3,
    root: 'qXHZjBf4cswoCNbUlCjlMsz8zIFLG8kJ0XjvBweMIUc=',
    pinned: 'sluice/golden+06e8a2c8+AcGI9vY+FnNzgNkVVTU14hG6Ko0+hgVyfdNO2b4uSCpX',
    completeness: 'complete',
  },
  '7': {
    entries: 7,
    root: 'pt6N3UL9eoRA6b13mNGqDCOoDPT4L7RsUYm4C4zTbtI=',
    pinned: 'sluice/golden+f38eefa0+AWAtcmMzNsFMsklArC5cifiHrwaQmSvY9pAse+qV8pn+',
    completeness: 'complete',
  },
  '8': {
    entries: 8,
    root: 'ZSZ1T7CMD7Q7z5E5vYHQbxg28tksKTnieUNL3q33Uz4=',
    pinned: 'sluice/golden+52e10ab4+Add1FfNqMHmphFiHZqto0ecdl0kPs+QXwcul00pcbS1n',
    completeness: 'complete',
  },
  '33': {
    entries: 33,
    root: 'ISmvG7Em7PrOiQ8tUYfn6CN71GjPZq/wOFgPEXslrIk=',
    pinned: 'sluice/golden+dd3b3d4e+AfutI1dGxmaQzACVOea/pHLlP5uV1bSWDejajyvkRHji',
    completeness: 'complete',
  },
  // Three runs: one that closed, one that was killed in the middle of a line, one with a new key.
  'crash-and-new-key': {
    entries: 23,
    root: 'S1sX3WN8IOfNDPBvP4+QDF7tT4F7u+oIwvePw+uOclI=',
    pinned: 'sluice/golden+d6156db5+Aap/UATJbB6EvFRLPHPNohwUKsnTthDr8DBQo2euHeY4',
    completeness: 'gaps-reported',
  },
  // A run that was killed, one with a new key, and one that removed what was before it but for one segment on hold.
  // The old key is pinned, and the change of keys is in a segment that is gone.
  retained: {
    entries: 36,
    root: 'oNhejjskB6zE+CKMJi5tVYJqyU7vU33UAzDle1WEFTI=',
    pinned: 'sluice/golden+b541e326+AcCkJoeXoHf2DKL6WMB6IcpAzHEhoxhlnj9TQhIl5Y6u',
    completeness: 'complete',
    retired: 23,
  },
  // By the witness of test/witness/witness.py.
  cosigned: {
    entries: 7,
    root: 'P8lNb3K1o0GVew0TnhyRcR3ML6feV9MeWGLh4FHMbNA=',
    pinned: 'sluice/golden+27c166b6+Adx21091tyTaC1y5WEVWnESWdBCOaf7l89HLdipDa4eM',
    completeness: 'complete',
    witness: 'witness.example/golden+4df3521b+BA9IAd4itOwonxKA8APicx0umk0vY4brLXKR40ijs/fL',
  },
};

const folder = new URL('golden/', import.meta.url).pathname;

test('every log in the folder is in the list', async () => {
  assert.deepEqual((await readdir(folder)).sort(), Object.keys(golden).sort());
});

for (const [name, { entries, root, pinned, completeness, retired, witness }] of Object.entries(golden)) {
  test(`${name}: verifies, and so does a proof of each entry`, async () => {
    const directory = join(folder, name);
    const keys = [VerifierKey.parse(pinned)];
    const witnesses = witness === undefined ? [] : [WitnessKey.parse(witness)];
    const report = await verifyLog(directory, { keys, witnesses });
    assert.deepEqual([report.integrity, report.completeness, report.unsigned], ['intact', completeness, 0]);
    assert.deepEqual([report.entries, report.newest?.root], [entries, root]);
    assert.deepEqual([report.retired?.entries, report.cosigned], [retired, witness === undefined ? null : entries]);
    const newest = [...keys, ...report.keys.map((text) => VerifierKey.parse(text))];
    const segments = (await readdir(directory)).filter((file) => file.endsWith('.jsonl')).sort();
    const texts = await Promise.all(segments.map((file) => readFile(join(directory, file), 'utf8')));
    const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
    for (const [at, line] of lines.entries()) {
      const { text, index } = await proveEntry(directory, parseEntry(Buffer.from(line))?.id ?? '');
      const proof = verifyProof(Buffer.from(text), newest);
      assert.deepEqual([proof.holds, proof.index], [true, index]);
      if (retired === undefined) assert.equal(index, at);
    }
  });
}
