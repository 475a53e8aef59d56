/** What holds for every API in every version and direction. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ProtocolError } from './protocol-error.ts';
import type { MessageCase } from './testing/message-arbitrary.ts';
import { messageCases } from './testing/message-arbitrary.ts';

const cases = messageCases();
const runs = 30;
const prefixesMax = 40;

function named(entry: MessageCase, run: () => void): void {
  try {
    run();
  } catch (cause) {
    throw new Error(`${entry.label}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

test('every version of every API of a broker listener has a case', () => {
  // Counted in Kafka 4.2's own message definitions: 276 versions, each a request and a response.
  assert.equal(cases.length, 552);
  assert.equal(new Set(cases.map((entry) => entry.label)).size, cases.length);
});

test('what is encoded decodes to the same message, unknown tags too, and encodes to the same bytes', () => {
  for (const entry of cases) {
    named(entry, () => {
      fc.assert(
        fc.property(entry.message, (message) => {
          const body = entry.encode(message);
          const decoded = entry.decode(body);
          assert.deepStrictEqual(decoded, message);
          assert.ok(entry.encode(decoded).equals(body));
        }),
        { numRuns: runs },
      );
    });
  }
});

test('no message decodes from a part of its bytes, nor from its bytes and one more', () => {
  for (const entry of cases) {
    named(entry, () => {
      for (const message of fc.sample(entry.message, 3)) {
        const body = entry.encode(message);
        const step = Math.max(1, Math.floor(body.length / prefixesMax));
        for (let length = 0; length < body.length; length += step)
          assertRefused(entry, body.subarray(0, length), 'truncated');
        // protocol.test.ts says why
        if (!entry.label.startsWith('Metadata request'))
          assertRefused(entry, Buffer.concat([body, Buffer.alloc(1)]), 'trailing-bytes');
      }
    });
  }
});

function assertRefused(entry: MessageCase, body: Buffer, code: string): void {
  assert.throws(
    () => entry.decode(body),
    (error) => {
      assert.ok(error instanceof ProtocolError, String(error));
      assert.equal(error.code, code);
      assert.ok(error.byteOffset >= 0 && error.byteOffset <= body.length);
      return true;
    },
  );
}

test('a literal without fields encodes as the defaults, which the decoder gives back', () => {
  for (const entry of cases) {
    named(entry, () => {
      const body = entry.encode({});
      const decoded = entry.decode(body);
      assert.ok(entry.encode(decoded).equals(body));
      const [message] = fc.sample(entry.message, 1);
      const fields = Object.keys(message ?? {}).filter((key) => key !== 'unknownTags');
      assert.deepEqual(Object.keys(decoded), fields, 'every field, in the order of the schema, in every version');
    });
  }
});
