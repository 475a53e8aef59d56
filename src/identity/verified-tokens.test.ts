import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../model/principal.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { VerifiedTokens } from './verified-tokens.ts';
import type { VerifiedToken } from './verified-tokens.ts';

const published = new Set(['key']);
const keys = { holds: (thumbprint: string) => published.has(thumbprint) } as unknown as IssuerKeys;
const entry = (bytes: number, untilMs = 1_000): VerifiedToken => ({
  principal: { id: 'x' } as Principal,
  untilMs,
  keys,
  thumbprint: 'key',
  bytes,
});

test('the least recently used go first, by count and by bytes', () => {
  const byCount = new VerifiedTokens(2, 1_000);
  byCount.set('a', entry(1));
  byCount.set('b', entry(1));
  assert.ok(byCount.get('a', 0));
  byCount.set('c', entry(1));
  assert.deepEqual(
    ['a', 'b', 'c'].map((digest) => byCount.get(digest, 0) !== undefined),
    [true, false, true],
  );
  const byBytes = new VerifiedTokens(100, 10);
  for (const digest of ['a', 'b', 'c']) byBytes.set(digest, entry(4));
  assert.equal(byBytes.size, 2);
  byBytes.set('huge', entry(11));
  assert.equal(byBytes.size, 0);
  byBytes.set('a', entry(10));
  byBytes.set('a', entry(10));
  assert.equal(byBytes.size, 1);
});

test('a token is forgotten at its end, and when its key is withdrawn', () => {
  const tokens = new VerifiedTokens(10, 1_000);
  tokens.set('a', entry(1));
  assert.ok(tokens.get('a', 999));
  assert.equal(tokens.get('a', 1_000), undefined);
  assert.equal(tokens.size, 0);
  tokens.set('a', entry(1));
  published.delete('key');
  assert.equal(tokens.get('a', 0), undefined);
  published.add('key');
  assert.equal(tokens.get('a', 0), undefined);
});
