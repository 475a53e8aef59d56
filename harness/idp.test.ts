import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { startIdp } from './idp.ts';
import type { Idp } from './idp.ts';

let idp: Idp;
before(async () => {
  idp = await startIdp({
    clients: [
      {
        id: 'producer',
        secret: 's3cret',
        groups: ['payments'],
        kind: 'workload',
        claims: { team: 'a' },
        ttlSeconds: 5,
      },
      { id: 'cli', secret: 'cli-secret' },
    ],
    users: [{ id: 'alice', groups: ['payments-eng'], claims: { mfa: true } }],
  });
});
after(() => idp.stop());

const keys = (): ReturnType<typeof createRemoteJWKSet> => createRemoteJWKSet(new URL(idp.jwksUri));

test('client credentials give a JWT that the published key set verifies', async () => {
  const { payload, protectedHeader } = await jwtVerify(await idp.token('producer'), keys(), {
    issuer: idp.issuer,
    audience: 'sluice',
  });
  assert.equal(protectedHeader.typ, 'at+jwt');
  assert.equal(protectedHeader.alg, 'RS256');
  assert.equal(payload.sub, 'producer');
  assert.deepEqual(payload['groups'], ['payments']);
  assert.equal(payload['kind'], 'workload');
  assert.equal(payload['team'], 'a');
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 5);
});

test('a token request may choose audience, lifetime, algorithm and claims', async () => {
  const token = await idp.token('cli', {
    audience: 'elsewhere',
    ttlSeconds: 7,
    algorithm: 'ES256',
    claims: { sub: 'other' },
  });
  const { payload, protectedHeader } = await jwtVerify(token, keys(), { audience: 'elsewhere' });
  assert.equal(protectedHeader.alg, 'ES256');
  assert.equal(payload.sub, 'other');
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 7);
});

test('a client that sends its scope raw, as librdkafka does, and no resource is served', async () => {
  const response = await fetch(idp.tokenEndpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from('producer:s3cret').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: 'grant_type=client_credentials&scope=topic:orders:read topic:payments:read',
  });
  assert.equal(response.status, 200);
  const answer = (await response.json()) as {
    access_token: string;
    expires_in: number;
    token_type: string;
    scope?: string;
  };
  assert.equal(answer.expires_in, 5);
  assert.equal(answer.token_type, 'Bearer');
  const { payload } = await jwtVerify(answer.access_token, keys(), { audience: 'sluice' });
  assert.equal(payload['scope'], 'topic:orders:read topic:payments:read');
});

test('a wrong secret is refused', async () => {
  const response = await fetch(idp.tokenEndpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('producer:wrong').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  assert.equal(response.status, 401);
});

test('device flow: pending, approved, refused', async () => {
  const post = async (url: string, fields: Record<string, string>): Promise<Record<string, string>> => {
    const authorization = `Basic ${Buffer.from('cli:cli-secret').toString('base64')}`;
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams(fields),
    });
    return (await response.json()) as Record<string, string>;
  };
  const grantType = 'urn:ietf:params:oauth:grant-type:device_code';
  const begin = await post(idp.deviceAuthorizationEndpoint, { client_id: 'cli', scope: 'openid' });
  const poll = (code: Record<string, string>): Promise<Record<string, string>> =>
    post(idp.tokenEndpoint, { grant_type: grantType, device_code: code['device_code'] ?? '' });
  assert.equal((await poll(begin))['error'], 'authorization_pending');
  await idp.approveDevice(begin['user_code'] ?? '', 'alice');
  const { payload } = await jwtVerify((await poll(begin))['access_token'] ?? '', keys(), { audience: 'sluice' });
  assert.equal(payload.sub, 'alice');
  assert.deepEqual(payload['groups'], ['payments-eng']);
  assert.equal(payload['kind'], 'user');
  assert.equal(payload['mfa'], true);
  const second = await post(idp.deviceAuthorizationEndpoint, { client_id: 'cli' });
  await idp.denyDevice(second['user_code'] ?? '');
  assert.equal((await poll(second))['error'], 'access_denied');
});

test('rotation keeps or drops the former key; an outage ends on the same port', async () => {
  const first = await idp.token('cli');
  await idp.rotateKeys({ keepOld: true });
  await jwtVerify(first, keys());
  await idp.rotateKeys();
  await assert.rejects(jwtVerify(first, keys()), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
  await idp.stop();
  await assert.rejects(idp.token('cli'));
  await idp.restart();
  await jwtVerify(await idp.token('cli'), keys());
});

test('sign makes odd tokens with the real key', async () => {
  const token = await idp.sign({ aud: ['a', 'b'], exp: undefined }, { typ: 'JWT', kid: undefined });
  assert.deepEqual(Object.keys(decodeProtectedHeader(token)).sort(), ['alg', 'typ']);
  const { payload } = await jwtVerify(token, keys(), { issuer: idp.issuer, audience: 'b' });
  assert.equal(payload.exp, undefined);
});
