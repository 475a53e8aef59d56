/** An issuer gone bad, or made to look so by an attacker's tokens: nothing but its own proper keys may count. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { discoveryPath, keySetPath, newStubKey, signWith, startIssuerStub } from '../../harness/issuer-stub.ts';
import type { IssuerStub, StubKey } from '../../harness/issuer-stub.ts';
import { refusal, stubClaims, stubSettings } from '../../harness/token-refusal.ts';
import { issuerDocumentBytesMax, issuerRefetchCooldownMs } from '../lib/limits.ts';
import { silentLogger } from '../lib/logger.ts';
import type { IssuerSettings } from '../model/settings.ts';
import { createTokenVerifier } from './token-verifier.ts';
import type { TokenVerifier } from './token-verifier.ts';

let stub: IssuerStub;
let other: IssuerStub;
let key: StubKey;
let ecKey: StubKey;
let otherKey: StubKey;
let offsetMs = 0;

before(async () => {
  [stub, other, key, ecKey, otherKey] = await Promise.all([
    startIssuerStub(),
    startIssuerStub(),
    newStubKey('k1'),
    newStubKey('e1', 'ES256'),
    newStubKey('k2'),
  ]);
});
after(() => Promise.all([stub.close(), other.close()]));
beforeEach(() => {
  offsetMs = 0;
  stub.publish(key, ecKey);
  other.publish(otherKey);
});

function verifierOf(t: TestContext, more: Partial<IssuerSettings> = {}): TokenVerifier {
  const verifier = createTokenVerifier([{ ...stubSettings('a', stub.url), ...more }, stubSettings('b', other.url)], {
    clock: { nowMs: () => Date.now() + offsetMs },
    logger: silentLogger,
    fetchTimeoutMs: 500,
  });
  t.after(() => verifier.close());
  return verifier;
}

const claims = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => stubClaims(stub.url, more);

test('random key ids neither hammer the issuer nor push good keys out', async (t) => {
  const verifier = verifierOf(t);
  const good = await signWith(key, claims());
  await verifier.verify(good);
  const asked = stub.requests.get(keySetPath) ?? 0;
  const forged = await Promise.all(
    Array.from({ length: 40 }, (_, index) => signWith(ecKey, claims(), { kid: `random-${index}` })),
  );
  await Promise.all(forged.map((token) => refusal(verifier, token, 'unknown-key')));
  assert.equal((stub.requests.get(keySetPath) ?? 0) - asked, 0, 'within the cool-down of the first fetch');
  offsetMs = issuerRefetchCooldownMs + 1;
  await Promise.all(forged.map((token) => refusal(verifier, token, 'unknown-key')));
  assert.equal((stub.requests.get(keySetPath) ?? 0) - asked, 1, 'one shared fetch');
  await verifier.verify(await signWith(key, claims({ jti: 'fresh' })));
  // A dead token asks for nothing even after the cool-down.
  offsetMs *= 3;
  await refusal(verifier, await signWith(otherKey, claims({ exp: 1 })), 'expired');
  assert.equal((stub.requests.get(keySetPath) ?? 0) - asked, 1);
});

test('tokens that come together at the start share one fetch', async (t) => {
  const verifier = verifierOf(t);
  const asked = stub.requests.get(keySetPath) ?? 0;
  const tokens = await Promise.all(
    Array.from({ length: 20 }, (_, index) => signWith(key, claims({ jti: `${index}` }))),
  );
  await Promise.all(tokens.map((token) => verifier.verify(token)));
  assert.equal((stub.requests.get(keySetPath) ?? 0) - asked, 1);
});

test('documents that are not the issuer’s, too large, too slow, packed, elsewhere, or nonsense: no key, no token', async (t) => {
  const token = await signWith(key, claims());
  const big = { keys: [key.jwk], padding: 'x'.repeat(issuerDocumentBytesMax) };
  const keySet = { keys: [key.jwk] };
  const cases: readonly [string, string, object, RegExp][] = [
    [
      'discovery of another issuer',
      discoveryPath,
      { issuer: other.url, jwks_uri: `${stub.url}${keySetPath}` },
      /not exactly/,
    ],
    [
      'discovery with a slash more',
      discoveryPath,
      { issuer: `${stub.url}/`, jwks_uri: `${stub.url}${keySetPath}` },
      /not exactly/,
    ],
    [
      'keys over http elsewhere',
      discoveryPath,
      { issuer: stub.url, jwks_uri: 'http://keys.example/jwks' },
      /neither https nor http on this machine/,
    ],
    ['keys in a file', discoveryPath, { issuer: stub.url, jwks_uri: 'file:///etc/passwd' }, /neither https/],
    ['no keys address', discoveryPath, { issuer: stub.url }, /no jwks_uri/],
    [
      'redirect to another host',
      keySetPath,
      (_: unknown, response: Response302) => response.writeHead(302, { location: `${other.url}${keySetPath}` }).end(),
      /redirects to another host/,
    ],
    [
      'redirect to https of the same host',
      keySetPath,
      (_: unknown, response: Response302) =>
        response.writeHead(302, { location: stub.url.replace('http:', 'https:') }).end(),
      /redirects to another host/,
    ],
    [
      'endless redirect',
      keySetPath,
      (_: unknown, response: Response302) => response.writeHead(302, { location: keySetPath }).end(),
      /too often/,
    ],
    ['oversized', keySetPath, big, /larger than/],
    [
      'never ends',
      keySetPath,
      (_: unknown, response: Response302) => void response.writeHead(200).write('{"keys":['),
      /within 500 ms/,
    ],
    ['never answers', keySetPath, () => undefined, /within 500 ms/],
    [
      'packed',
      keySetPath,
      (_: unknown, response: Response302) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      /compressed/,
    ],
    [
      'error page',
      keySetPath,
      (_: unknown, response: Response302) => response.writeHead(500).end(JSON.stringify(keySet)),
      /status 500/,
    ],
    ['not JSON', keySetPath, (_: unknown, response: Response302) => response.end('<html>'), /not valid JSON/],
    ['a list', keySetPath, [key.jwk], /not a JSON object/],
    ['no list of keys', keySetPath, { keys: key.jwk }, /not a key set/],
    ['too many keys', keySetPath, { keys: Array.from({ length: 101 }, () => 1) }, /at most 100/],
  ];
  for (const [name, path, answer, reason] of cases) {
    stub.publish(key);
    stub.answer(path, answer);
    const error = await refusal(verifierOf(t), token, 'issuer-unavailable');
    assert.match(error.detail, reason, name);
  }
});

interface Response302 {
  writeHead(status: number, headers?: Record<string, string>): Response302;
  write(text: string): boolean;
  end(text?: string): void;
}

test('a redirect on the same origin is followed', async (t) => {
  stub.answer(keySetPath, (_: unknown, response: Response302) => response.writeHead(307, { location: '/moved' }).end());
  stub.answer('/moved', { keys: [key.jwk] });
  assert.equal((await verifierOf(t).verify(await signWith(key, claims()))).id, 'mallory');
});

test('keys that are weak, private, broken, or for something else are not used; the others are', async (t) => {
  const weak = await newStubKey('weak', 'RS256', 2_048);
  const { n } = weak.jwk;
  const unused = [
    { ...weak.jwk, kid: 'short', n: (n ?? '').slice(0, 171) },
    { ...weak.jwk, kid: 'private', d: 'AAAA' },
    { ...weak.jwk, kid: 'broken', n: 7 },
    { ...weak.jwk, kid: 'encryption', use: 'enc' },
    { ...weak.jwk, kid: 'operations', key_ops: ['encrypt'] },
    { ...weak.jwk, kid: 'algorithm', alg: 'PS256' },
    { ...ecKey.jwk, kid: 'curve', crv: 'P-384' },
    null,
    'x',
  ];
  stub.answer(keySetPath, { keys: [...unused, key.jwk] });
  const verifier = verifierOf(t);
  for (const kid of ['short', 'private', 'broken', 'encryption', 'operations', 'algorithm']) {
    await refusal(verifier, await signWith(weak, claims(), { kid }), 'unknown-key');
  }
  await refusal(verifier, await signWith(ecKey, claims(), { kid: 'curve' }), 'unknown-key');
  await verifier.verify(await signWith(key, claims()));
  assert.equal(verifier.status()[0]?.keys, 1);
});

test('without a key id only a sole fitting key is taken; two keys of one id are both tried', async (t) => {
  const noId = await signWith(key, claims(), { kid: undefined });
  assert.equal((await verifierOf(t).verify(noId)).id, 'mallory');
  stub.publish(key, otherKey);
  assert.match((await refusal(verifierOf(t), noId, 'unknown-key')).message, /names no key/);
  stub.answer(keySetPath, { keys: [{ ...otherKey.jwk, kid: 'k1' }, key.jwk] });
  assert.equal((await verifierOf(t).verify(await signWith(key, claims()))).id, 'mallory');
});

test('an issuer that takes all its keys back is believed', async (t) => {
  const verifier = verifierOf(t);
  const token = await signWith(key, claims());
  await verifier.verify(token);
  stub.answer(keySetPath, { keys: [] });
  offsetMs = 301_000;
  await verifier.verify(token); // still good; the keys are fetched again behind it
  const deadline = Date.now() + 5_000;
  while (verifier.status()[0]?.keys !== 0 && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
  await refusal(verifier, token, 'unknown-key');
});
