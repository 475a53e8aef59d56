/** What an attacker may do to a token. Every case must be refused for its own reason. */
import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { keySetPath, newStubKey, signWith, startIssuerStub } from '../../harness/issuer-stub.ts';
import type { IssuerStub, StubKey } from '../../harness/issuer-stub.ts';
import { refusal, stubClaims, stubSettings } from '../../harness/token-refusal.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import type { IssuerSettings } from '../model/settings.ts';
import { createTokenVerifier } from './token-verifier.ts';
import type { TokenVerifier } from './token-verifier.ts';

let stub: IssuerStub;
let other: IssuerStub;
let key: StubKey;
let ecKey: StubKey;
let otherKey: StubKey;

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
  stub.publish(key, ecKey);
  other.publish(otherKey);
});

function verifierOf(t: TestContext, more: Partial<IssuerSettings> = {}): TokenVerifier {
  const verifier = createTokenVerifier([{ ...stubSettings('a', stub.url), ...more }, stubSettings('b', other.url)], {
    clock: systemClock,
    logger: silentLogger,
    fetchTimeoutMs: 500,
  });
  t.after(() => verifier.close());
  return verifier;
}

const claims = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => stubClaims(stub.url, more);

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

test('the honest token is taken, so that the refusals below mean something', async (t) => {
  const verifier = verifierOf(t);
  assert.equal((await verifier.verify(await signWith(key, claims()))).id, 'mallory');
  assert.equal((await verifier.verify(await signWith(ecKey, claims()))).id, 'mallory');
});

test('unsigned: alg none in every spelling, with and without a signature', async (t) => {
  const verifier = verifierOf(t);
  for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
    await refusal(verifier, `${part({ alg })}.${part(claims())}.`, 'malformed');
    await refusal(verifier, `${part({ alg })}.${part(claims())}.${part('x')}`, 'algorithm-refused');
  }
});

test('HS256 with the public key as the secret', async (t) => {
  const verifier = verifierOf(t);
  const pem = createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  for (const kid of [key.kid, undefined]) {
    const signed = `${part({ alg: 'HS256', kid })}.${part(claims())}`;
    await refusal(
      verifier,
      `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`,
      'algorithm-refused',
    );
  }
});

test('a secret key in the key set verifies nothing', async (t) => {
  const secret = Buffer.from('a secret of thirty-two bytes ok!');
  stub.answer(keySetPath, {
    keys: [key.jwk, { kty: 'oct', kid: 'h1', alg: 'RS256', k: secret.toString('base64url') }],
  });
  const signed = `${part({ alg: 'RS256', kid: 'h1' })}.${part(claims())}`;
  await refusal(
    verifierOf(t),
    `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`,
    'unknown-key',
  );
});

test('key ids that would be paths, queries or code are only ever compared', async (t) => {
  const verifier = verifierOf(t);
  for (const kid of [
    '../../../../dev/null',
    '/etc/passwd',
    "' OR 1=1 --",
    'http://evil.example/key',
    '__proto__',
    'constructor',
    '',
  ]) {
    await refusal(verifier, await signWith(otherKey, claims(), { kid }), 'unknown-key');
  }
  await refusal(verifier, await signWith(otherKey, claims(), { kid: 'x'.repeat(1_025) }), 'malformed');
  await refusal(verifier, `${part({ alg: 'RS256', kid: 7 })}.${part(claims())}.${part('x')}`, 'malformed');
});

test('the key of one issuer does not vouch for another', async (t) => {
  const verifier = verifierOf(t);
  await refusal(verifier, await signWith(otherKey, claims()), 'unknown-key');
  await refusal(verifier, await signWith(otherKey, claims(), { kid: key.kid }), 'bad-signature');
  assert.equal((await verifier.verify(await signWith(otherKey, claims({ iss: other.url })))).issuer, 'b');
});

test('a key the token brings or points to is not used', async (t) => {
  const verifier = verifierOf(t);
  const asked = other.requests.get('/evil') ?? 0;
  other.answer('/evil', { keys: [otherKey.jwk] });
  for (const header of [
    { jku: `${other.url}/evil` },
    { jwk: otherKey.jwk },
    { x5u: `${other.url}/evil` },
    { x5c: ['AAAA'] },
  ]) {
    await refusal(verifier, await signWith(otherKey, claims(), { ...header, kid: key.kid }), 'bad-signature');
  }
  assert.equal(other.requests.get('/evil') ?? 0, asked);
});

test('altered tokens', async (t) => {
  const verifier = verifierOf(t);
  const [header, , signature] = (await signWith(key, claims())).split('.') as [string, string, string];
  await refusal(verifier, `${header}.${part(claims({ sub: 'admin' }))}.${signature}`, 'bad-signature');
  await refusal(verifier, `${part({ alg: 'ES256', kid: 'e1' })}.${part(claims())}.${signature}`, 'bad-signature');
  // CVE-2022-21449: r = s = 0.
  await refusal(
    verifier,
    `${part({ alg: 'ES256', kid: 'e1' })}.${part(claims())}.${Buffer.alloc(64).toString('base64url')}`,
    'bad-signature',
  );
  await refusal(verifier, `${part({ alg: 'RS256', kid: 'e1' })}.${part(claims())}.${signature}`, 'unknown-key');
  await refusal(verifier, `${part({ alg: 'PS256', kid: 'k1' })}.${part(claims())}.${signature}`, 'algorithm-refused');
});

test('two readings of one token: duplicate names, __proto__, padding, stray bits, spaces, bad UTF-8', async (t) => {
  const verifier = verifierOf(t);
  const [header, body, signature] = (await signWith(key, claims())).split('.') as [string, string, string];
  const text = JSON.stringify(claims());
  const bodies = [
    text.replace('{', '{"sub":"admin",'),
    text.replace('{', String.raw`{"s\u0075b":"admin",`),
    text.replace('{', '{"a":{"b":1,"b":2},'),
    text.replace('{', '{"__proto__":{"sub":"admin"},'),
    text.replace('{', '{"a":{"__proto__":{}},'),
    text.replace('{', `{"a":${'['.repeat(33)}${']'.repeat(33)},`),
    `[${text}]`,
    'null',
    '"x"',
    text.slice(1),
  ];
  for (const odd of bodies) await refusal(verifier, `${header}.${part(odd)}.${signature}`, 'malformed');
  const latin1 = Buffer.from(text.replace('mallory', 'm\u00e4llory'), 'latin1').toString('base64url');
  const bom = Buffer.from(`\ufeff${text}`).toString('base64url');
  for (const odd of [`${body}=`, `${body} `, `${body}\n`, ` ${body}`, latin1, bom, '', '+/+/']) {
    await refusal(verifier, `${header}.${odd}.${signature}`, 'malformed');
  }
  await refusal(verifier, `${part('{"alg":"none","alg":"RS256"}')}.${body}.${signature}`, 'malformed');
  // 256 bytes end in two base64url characters of which the last has four bits to spare.
  const last = signature.at(-1) ?? '';
  const alias = String.fromCodePoint((last.codePointAt(0) ?? 0) + 1);
  await refusal(verifier, `${header}.${body}.${signature.slice(0, -1)}${alias}`, 'malformed');
});

test('other shapes: opaque, encrypted, too many parts, huge, critical headers', async (t) => {
  const verifier = verifierOf(t);
  for (const odd of [
    '',
    '.',
    '..',
    'opaque-token',
    'a.b',
    'a.b.c.d',
    'a.b.c.d.e',
    '\u0000'.repeat(20),
    '.'.repeat(50_000),
  ]) {
    await refusal(verifier, odd, 'malformed');
  }
  await refusal(verifier, 'x'.repeat(65_537), 'token-too-large');
  await refusal(verifier, await signWith(key, claims(), { crit: ['x-made-up'], 'x-made-up': true }), 'malformed');
  await refusal(
    verifier,
    `${part({ alg: 'RS256', kid: 'k1', b64: false })}.${part(claims())}.${part('x')}`,
    'malformed',
  );
});

test('claims of the prototype are not claims', async (t) => {
  for (const id of ['constructor', 'toString', 'constructor.name', 'sub.length']) {
    const verifier = verifierOf(t, { mapping: { id, kind: { value: 'user' } } });
    await refusal(verifier, await signWith(key, claims()), 'missing-claim');
  }
  const verifier = verifierOf(t, { requiredClaims: { 'constructor.name': ['Object'] } });
  await refusal(verifier, await signWith(key, claims()), 'tenant-refused');
});

test('what a refusal repeats of the token is bounded and cannot forge a log line', async (t) => {
  const verifier = verifierOf(t);
  const evil = `a\r\nlevel=info admin logged in \u001b[31m\u2028\u202e${'x'.repeat(5_000)}`;
  const refused = [
    await refusal(verifier, await signWith(key, claims({ iss: evil, sub: evil })), 'unknown-issuer'),
    await refusal(
      verifier,
      await signWith(otherKey, claims({ sub: evil }), { kid: evil.slice(0, 900) }),
      'unknown-key',
    ),
    await refusal(verifier, await signWith(key, claims({ aud: evil, sub: evil })), 'wrong-audience'),
    await refusal(verifier, await signWith(key, claims({ sub: 'x' }), { typ: evil }), 'wrong-type'),
  ];
  for (const { message, detail, claimedId, claimedIssuer } of refused) {
    for (const text of [message, detail, claimedId ?? '', claimedIssuer ?? '']) {
      assert.doesNotMatch(text, /[\p{Cc}\u2028\u202e]/u);
      assert.ok(text.length < 1_000, `${text.length} characters`);
    }
    assert.ok((claimedId ?? '').length <= 256 && (claimedIssuer ?? '').length <= 256);
  }
});
