import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { startIdp } from '../../harness/idp.ts';
import type { Idp } from '../../harness/idp.ts';
import { refusal } from '../../harness/token-refusal.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import type { IssuerSettings } from '../model/settings.ts';
import { createTokenVerifier } from './token-verifier.ts';
import type { TokenVerifier } from './token-verifier.ts';

let idp: Idp;
let offsetMs = 0;
const clock: Clock = { nowMs: () => Date.now() + offsetMs };

before(async () => {
  idp = await startIdp({
    clients: [
      {
        id: 'settle',
        secret: 'settle-secret',
        groups: ['payments', 'batch'],
        kind: 'workload',
        claims: { tenant: { id: 'acme' } },
      },
      { id: 'plain', secret: 'plain-secret' },
    ],
  });
});
after(() => idp.stop());

function settings(more: Partial<IssuerSettings> = {}): IssuerSettings {
  return {
    name: 'corp',
    issuer: idp.issuer,
    audiences: ['sluice'],
    algorithms: ['RS256', 'ES256'],
    clockLeewayMs: 30_000,
    keysMaxAgeMs: 3_600_000,
    mapping: { id: 'sub', groups: 'groups', kind: { value: 'workload' } },
    requiredClaims: {},
    ...more,
  };
}

function verifierOf(t: TestContext, more: Partial<IssuerSettings> = {}): TokenVerifier {
  offsetMs = 0;
  const verifier = createTokenVerifier([settings(more)], { clock, logger: silentLogger, fetchTimeoutMs: 2_000 });
  t.after(() => verifier.close());
  return verifier;
}

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

test('a token by client credentials becomes a principal', async (t) => {
  const verifier = verifierOf(t, { mapping: { id: 'sub', groups: 'groups', kind: { claim: 'kind' } } });
  await verifier.start();
  const principal = await verifier.verify(await idp.token('settle'));
  assert.equal(principal.id, 'settle');
  assert.equal(principal.issuer, 'corp');
  assert.equal(principal.kind, 'workload');
  assert.deepEqual(principal.groups, ['payments', 'batch']);
  assert.equal(principal.credential.type, 'jwt');
  assert.equal(principal.credential.id, principal.claims['jti']);
  assert.equal(principal.expiresAtMs, Number(principal.claims['exp']) * 1_000);
  assert.deepEqual(
    verifier.status().map(({ issuer, keys, usable }) => ({ issuer, keys, usable })),
    [{ issuer: 'corp', keys: 2, usable: true }],
  );
});

test('ES256 is taken where configured, and only there', async (t) => {
  const token = await idp.token('plain', { algorithm: 'ES256' });
  assert.equal((await verifierOf(t).verify(token)).id, 'plain');
  const error = await refusal(verifierOf(t, { algorithms: ['RS256'] }), token, 'algorithm-refused');
  assert.match(error.message, /"ES256".*only RS256/);
});

test('a verified token is remembered: the issuer is not asked and the principal is the same object', async (t) => {
  const verifier = verifierOf(t);
  const token = await idp.token('settle');
  const first = await verifier.verify(token);
  const asked = idp.requests.get('/jwks');
  assert.equal(await verifier.verify(token), first);
  assert.equal(idp.requests.get('/jwks'), asked);
});

test('expired: within the leeway it lives to the end of the leeway, beyond it not even from memory', async (t) => {
  const verifier = verifierOf(t);
  const exp = nowSeconds() + 100;
  const token = await idp.sign({ exp });
  assert.equal((await verifier.verify(token)).expiresAtMs, exp * 1_000);
  offsetMs = 110_000;
  assert.equal((await verifier.verify(token)).expiresAtMs, exp * 1_000 + 30_000);
  offsetMs = 131_000;
  const error = await refusal(verifier, token, 'expired');
  assert.match(
    error.message,
    new RegExp(`expired at ${new Date(exp * 1_000).toISOString().replace('.000', '')}, 3\\d s ago; fetch a new one`),
  );
  assert.match(error.detail, new RegExp(`issuer corp, alg RS256, kid rs256-.*exp ${exp}`));
  assert.equal(error.claimedId, 'test');
  assert.equal(error.claimedIssuer, idp.issuer);
});

test('times: nbf and iat in the future, no exp, exp that is no number', async (t) => {
  const verifier = verifierOf(t);
  await verifier.verify(await idp.sign({ nbf: nowSeconds() + 20 }));
  await refusal(verifier, await idp.sign({ nbf: nowSeconds() + 60 }), 'not-yet-valid');
  await refusal(verifier, await idp.sign({ iat: nowSeconds() + 60 }), 'not-yet-valid');
  await refusal(verifier, await idp.sign({ exp: undefined }), 'missing-claim');
  await refusal(verifier, await idp.sign({ exp: String(nowSeconds() + 60) }), 'invalid-claim');
  await refusal(verifier, await idp.sign({ exp: 1e300 }), 'invalid-claim');
});

test('audience: exact, one of several on either side', async (t) => {
  const verifier = verifierOf(t, { audiences: ['sluice', 'urn:sluice:eu'] });
  await verifier.verify(await idp.sign({ aud: ['other', 'urn:sluice:eu'] }));
  const error = await refusal(verifier, await idp.token('plain', { audience: 'billing' }), 'wrong-audience');
  assert.equal(
    error.message,
    'wrong audience: the token is for "billing", this gateway expects "sluice" or "urn:sluice:eu"',
  );
  await refusal(verifier, await idp.sign({ aud: 'sluice2' }), 'wrong-audience');
  for (const aud of ['SLUICE', 'slui', '', 'sluice '])
    await refusal(verifier, await idp.sign({ aud }), 'wrong-audience');
  await refusal(verifier, await idp.sign({ aud: [] }), 'wrong-audience');
  await refusal(verifier, await idp.sign({ aud: undefined }), 'wrong-audience');
  await refusal(verifier, await idp.sign({ aud: [['sluice']] }), 'invalid-claim');
});

test('issuer: a slash too many is told apart, another is refused', async (t) => {
  const verifier = verifierOf(t);
  const error = await refusal(verifier, await idp.sign({ iss: `${idp.issuer}/` }), 'unknown-issuer');
  assert.match(error.message, /differs from .* by the slash at its end/);
  await refusal(verifier, await idp.sign({ iss: 'https://evil.example' }), 'unknown-issuer');
  await refusal(verifier, await idp.sign({ iss: undefined }), 'malformed');
});

test('types: at+jwt, JWT and none are taken; a logout or id-token-only type is not', async (t) => {
  const verifier = verifierOf(t);
  for (const typ of ['at+jwt', 'AT+JWT', 'JWT', 'application/at+jwt', undefined])
    await verifier.verify(await idp.sign({}, { typ }));
  for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', '', 7])
    await refusal(verifier, await idp.sign({}, { typ }), 'wrong-type');
});

test('claims: nested and quoted paths, kind by claim, required claims', async (t) => {
  const mapping = { id: 'tenant.user', groups: '"https://acme.example/groups"', kind: { claim: 'kind' } } as const;
  const verifier = verifierOf(t, { mapping, requiredClaims: { 'tenant.id': ['acme'], stage: ['prod', 'test'] } });
  const claims = {
    tenant: { id: 'acme', user: 'u-1' },
    'https://acme.example/groups': ['a', 'b', 'a'],
    kind: 'job',
    stage: ['test'],
  };
  const principal = await verifier.verify(await idp.sign(claims));
  assert.deepEqual([principal.id, principal.kind, principal.groups], ['u-1', 'job', ['a', 'b']]);
  const refused = await refusal(
    verifier,
    await idp.sign({ ...claims, tenant: { id: 'other', user: 'u-1' } }),
    'tenant-refused',
  );
  assert.match(refused.message, /another value for claim tenant\.id/);
  await refusal(verifier, await idp.sign({ ...claims, stage: undefined }), 'tenant-refused');
  await refusal(verifier, await idp.sign({ ...claims, stage: [] }), 'tenant-refused');
  await refusal(verifier, await idp.sign({ ...claims, kind: 'root' }), 'invalid-claim');
  await refusal(verifier, await idp.sign({ ...claims, kind: undefined }), 'missing-claim');
});

test('ids and groups that could mislead are refused', async (t) => {
  const verifier = verifierOf(t);
  for (const sub of ['', 'a\nb', 'a\0b', 'a\u202eb', ' a', 'x'.repeat(257), { a: 1 }, true]) {
    await refusal(verifier, await idp.sign({ sub }), 'invalid-claim');
  }
  await refusal(verifier, await idp.sign({ sub: undefined }), 'missing-claim');
  assert.equal((await verifier.verify(await idp.sign({ sub: 42 }))).id, '42');
  for (const groups of [
    [1],
    [''],
    ['a\nb'],
    ['x'.repeat(257)],
    { a: 1 },
    Array.from({ length: 1_001 }, (_, index) => `g${index}`),
  ]) {
    await refusal(verifier, await idp.sign({ groups }), 'invalid-claim');
  }
  assert.deepEqual((await verifier.verify(await idp.sign({ groups: 'one' }))).groups, ['one']);
  assert.deepEqual((await verifier.verify(await idp.sign({}))).groups, []);
  const overage = await refusal(verifier, await idp.sign({ _claim_names: { groups: 'src1' } }), 'invalid-claim');
  assert.match(overage.message, /too many/);
});

test('key rotation is noticed at the first token of the new key; a key that is gone takes its tokens with it', async (t) => {
  const verifier = verifierOf(t);
  const old = await idp.token('settle');
  await verifier.verify(old);
  await idp.rotateKeys({ keepOld: true });
  offsetMs = 31_000; // beyond the cool-down
  await verifier.verify(await idp.token('settle'));
  await verifier.verify(old);
  await idp.rotateKeys();
  offsetMs = 62_000;
  await verifier.verify(await idp.token('settle'));
  await refusal(verifier, old, 'unknown-key');
});

test('an issuer that goes down: good keys serve up to their age, then it is unavailable, then it is back', async (t) => {
  const verifier = verifierOf(t, { keysMaxAgeMs: 600_000 });
  const token = await idp.sign({ exp: nowSeconds() + 3_600 });
  await verifier.verify(token);
  await idp.stop();
  t.after(() => idp.restart().catch(() => undefined));
  offsetMs = 599_000;
  await verifier.verify(token);
  await verifier.verify(await idp.sign({ exp: nowSeconds() + 3_600, jti: 'another' }));
  offsetMs = 640_000;
  const error = await refusal(verifier, token, 'issuer-unavailable');
  assert.equal(error.retriable, true);
  assert.match(error.detail, /ECONNREFUSED/);
  assert.equal(verifier.status()[0]?.usable, false);
  await idp.restart();
  offsetMs = 642_000;
  await verifier.verify(token);
});

test('an issuer that is down at the start does no harm and is used once it is up', async (t) => {
  const verifier = verifierOf(t);
  const token = await idp.token('plain');
  await idp.stop();
  t.after(() => idp.restart().catch(() => undefined));
  await verifier.start();
  const error = await refusal(verifier, token, 'issuer-unavailable');
  assert.match(error.message, /keys of issuer corp cannot be fetched/);
  await idp.restart();
  const deadline = Date.now() + 10_000;
  while (verifier.status()[0]?.usable !== true && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await verifier.verify(token)).id, 'plain');
});
