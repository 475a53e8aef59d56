import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { internedNameBytesMax, internedNames, internedNamesMax } from '../../../lib/limits.ts';
import { NameCache, textOf } from './name-cache.ts';

test('text and uuids are what the bytes say, whatever was asked for before', () => {
  const cache = new NameCache();
  const names = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.nat({ max: 5_000 }).map((number) => Buffer.from(`topic-${number}`)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(names, fc.nat({ max: 3 })), { minLength: 1 }), (asked) => {
      for (const [bytes, before] of asked) {
        const within = Buffer.concat([Buffer.alloc(before, 0x41), bytes, Buffer.from('after')]);
        assert.equal(cache.text(within, before, before + bytes.length), textOf(bytes, 0, bytes.length));
        const id = Buffer.concat([bytes, Buffer.alloc(16)]).subarray(0, 16);
        assert.equal(cache.uuid(Buffer.concat([within.subarray(0, before), id]), before), id.toString('base64url'));
      }
    }),
    { numRuns: 100 },
  );
});

test('bytes that are not UTF-8 are no text, neither are those that resemble a remembered name', () => {
  const cache = new NameCache();
  const latin = Buffer.from('caf\u00e9', 'latin1');
  assert.equal(cache.text(Buffer.from('café'), 0, 5), 'café');
  assert.equal(cache.text(latin, 0, latin.length), null);
  assert.equal(cache.text(Buffer.from('\ufffd'), 0, 3), '\ufffd');
});

test('more names than slots and names over the bound come out right, and leave nothing behind', () => {
  const cache = new NameCache();
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < internedNames * 3; index += 1) {
      const bytes = Buffer.from(`a topic with number ${index}`);
      assert.equal(cache.text(bytes, 0, bytes.length), `a topic with number ${index}`);
      const id = Buffer.alloc(16);
      id.writeInt32BE(index, 12);
      assert.equal(cache.uuid(id, 0), id.toString('base64url'));
    }
  }
  const long = Buffer.alloc(internedNameBytesMax + 1, 'n');
  assert.equal(cache.text(long, 0, long.length), 'n'.repeat(long.length));
});

test('where names take each other’s slots there are more of them, and all come out right before and after', () => {
  const cache = new NameCache();
  const ids = Array.from({ length: internedNamesMax / 4 }, (_, index) => {
    const id = Buffer.alloc(16);
    id.writeInt32BE(Math.imul(index, 7_919), 4);
    id.writeInt32BE(Math.imul(index, 104_729), 8);
    return id;
  });
  for (let round = 0; round < 40; round += 1) {
    for (const id of ids) assert.equal(cache.uuid(id, 0), id.toString('base64url'));
  }
});
