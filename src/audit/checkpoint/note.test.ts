/** Notes, keys and checkpoints, held against the published vectors of C2SP and Go, and against forgeries. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emptyRoot } from '../merkle/hash.ts';
import { parseCheckpoint, signCheckpoint, signedBy } from './checkpoint.ts';
import { SignerKey, VerifierKey } from './keys.ts';
import { formatNote, isKeyName, parseNote } from './note.ts';

// From the documentation of golang.org/x/mod/sumdb/note.
const goPrivate = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const goPublic = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const goText = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const goNote = `${goText}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

const head = { origin: 'sluice/gw-1', size: 12, root: emptyRoot };
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('a signed note', () => {
  test('is what the Go implementation writes and reads', () => {
    const signer = SignerKey.parse(goPrivate);
    assert.equal(signer.verifier.text, goPublic);
    const [plain] = signer.sign(goText, 0);
    assert.ok(plain);
    assert.equal(formatNote({ text: goText, signatures: [plain] }), goNote);
    const note = parseNote(bytes(goNote));
    assert.equal(note.text, goText);
    assert.deepEqual(
      note.signatures.map((signature) => VerifierKey.parse(goPublic).check(note.text, signature)),
      [{ kind: 'plain' }],
    );
  });

  test('has one form', () => {
    const [text = '', signature = ''] = goNote.split('\n\n');
    for (const [broken, why] of [
      ['', 'nothing'],
      [goNote.slice(0, -1), 'no line end'],
      [`${goNote}\n`, 'a line end more'],
      [text, 'no signature'],
      [`${text}\n\n`, 'an empty list'],
      [goNote.replace('—', '-'), 'another dash'],
      [goNote.replace('— ', '—  '), 'two spaces'],
      [goNote.replace('AM=', 'AN='), 'base64 with loose bits'],
      [goNote.replace('AM=', 'AM'), 'base64 without padding'],
      [goNote.replace('\nthen', '\r\nthen'), 'a carriage return'],
      [goNote.replace('PeterNeumann', 'Peter+Neumann'), 'a plus in a name'],
      [goNote.replace('PeterNeumann', 'Peter\u00a0Neumann'), 'a space in a name'],
      [`${text}\n\n— PeterNeumann x08goQ==\n`.replace('x08goQ==', 'x08gow=='), 'no signature behind the id'],
      [`\ufeff${goNote}`.replace('If', '\u0000If'), 'a control character'],
      [`${text}\n\n${signature.repeat(101)}`, 'too many signatures'],
      [`${'x'.repeat(70_000)}${goNote}`, 'too large'],
    ] as const) {
      assert.throws(() => parseNote(bytes(broken)), { code: 'note-malformed' }, why);
    }
    assert.throws(() => parseNote(Buffer.concat([Buffer.of(0xff), bytes(goNote)])), { code: 'note-malformed' });
  });

  test('is not taken with any byte of it changed', () => {
    const key = VerifierKey.parse(goPublic);
    const good = Buffer.from(goNote);
    for (let at = 0; at < good.length; at += 1) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      let accepted = false;
      try {
        const note = parseNote(changed);
        accepted = note.signatures.some((signature) => key.check(note.text, signature).kind === 'plain');
      } catch {
        continue;
      }
      assert.equal(accepted, false, `byte ${at}`);
    }
  });
});

describe('a key', () => {
  test('is taken in its own form only, and an error repeats nothing of it', () => {
    for (const [broken, why] of [
      [goPublic, 'a public key'],
      [goPrivate.replace('c74f20a3', 'c74f20a4'), 'another id'],
      [goPrivate.replace('Peter', 'Paul'), 'another name'],
      [goPrivate.slice(0, -1), 'cut'],
      [`${goPrivate}\n`, 'a line end'],
      [goPrivate.replace('+AYEK', '+AoEK'), 'another type'],
      ['', 'nothing'],
    ] as const) {
      assert.throws(
        () => SignerKey.parse(broken),
        (error: Error) => !error.message.includes('VFGyNhPJEM') && /no key of an audit log/.test(error.message),
        why,
      );
    }
    for (const broken of [
      goPrivate,
      goPublic.replace('c74f', 'c74e'),
      `${goPublic} `,
      goPublic.replace('+AR', '+BB'),
    ]) {
      assert.throws(() => VerifierKey.parse(broken), { code: 'key-malformed' });
    }
  });

  test('is made anew each time, under a name that a note can carry', () => {
    const first = SignerKey.generate('sluice/gw-1');
    assert.notEqual(first.verifier.text, SignerKey.generate('sluice/gw-1').verifier.text);
    assert.equal(SignerKey.parse(first.secretText()).verifier.text, first.verifier.text);
    for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u2003b', 'a\u0000']) {
      assert.equal(isKeyName(name), false);
      assert.throws(() => SignerKey.generate(name), { code: 'key-malformed' });
    }
  });
});

describe('a checkpoint', () => {
  const ours = SignerKey.generate('sluice/gw-1');
  const other = SignerKey.generate('sluice/gw-1');

  test('is signed twice by each key, with the time', () => {
    const checkpoint = parseCheckpoint(bytes(signCheckpoint(head, [ours, other], 1_790_000_000)));
    assert.deepEqual([checkpoint.origin, checkpoint.size], ['sluice/gw-1', 12]);
    assert.equal(checkpoint.note.signatures.length, 4);
    const signed = signedBy(checkpoint, [ours.verifier]);
    assert.deepEqual([signed.by, signed.wrong, signed.time], [[ours.verifier], false, 1_790_000_000]);
    assert.equal(signedBy(checkpoint, [ours.verifier, other.verifier]).by.length, 2);
    const stranger = signedBy(checkpoint, [SignerKey.generate('sluice/gw-1').verifier]);
    assert.deepEqual(stranger, { by: [], wrong: false, time: null });
  });

  test('is not signed where any byte of it changed', () => {
    const good = Buffer.from(signCheckpoint(head, [ours], 1_790_000_000));
    for (let at = 0; at < good.length; at += 1) {
      for (const flip of [0x01, 0x20, 0x80]) {
        const changed = Buffer.from(good);
        changed[at] = (changed[at] ?? 0) ^ flip;
        let by: readonly VerifierKey[] = [];
        try {
          const checkpoint = parseCheckpoint(changed);
          const signed = signedBy(checkpoint, [ours.verifier]);
          by = signed.wrong ? [] : signed.by;
        } catch {
          continue;
        }
        assert.deepEqual(by, [], `byte ${at} ^ ${flip}`);
      }
    }
  });

  test('with both its signatures by one key, and no other time, only', () => {
    const text = signCheckpoint(head, [ours], 5);
    const lines = text.split('\n');
    for (const left of [lines.toSpliced(4, 1), lines.toSpliced(5, 1)]) {
      assert.deepEqual(signedBy(parseCheckpoint(bytes(left.join('\n'))), [ours.verifier]).by, []);
    }
    const later = signCheckpoint({ ...head, size: 13 }, [ours], 6).split('\n');
    const mixed = parseCheckpoint(bytes(lines.with(5, later[5] ?? '').join('\n')));
    assert.equal(signedBy(mixed, [ours.verifier]).wrong, true, 'the time of another checkpoint');
  });

  test('has one form', () => {
    const signed = (text: string): Uint8Array => bytes(formatNote({ text, signatures: ours.sign(text, 1) }));
    const root = emptyRoot.toString('base64');
    for (const text of [
      `o\n01\n${root}\n`,
      `o\n-1\n${root}\n`,
      `o\n1e3\n${root}\n`,
      `o\n99999999999999999\n${root}\n`,
      `o\n9007199254740993\n${root}\n`,
      `o\n1\n${root.slice(4)}\n`,
      `o\n1\n\n`,
      `o\n1\n`,
      `\n1\n${root}\n`,
      `o\n1\n${root}\nextension\n\n`,
    ]) {
      assert.throws(() => parseCheckpoint(signed(text)), /no checkpoint|no signed note/, JSON.stringify(text));
    }
    assert.equal(parseCheckpoint(signed(`o\n0\n${root}\nextension\n`)).size, 0);
  });
});
