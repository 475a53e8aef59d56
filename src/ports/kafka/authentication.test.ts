import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TokenVerifier } from '../../identity/identity.ts';
import type { KafkaAuthenticationSettings } from '../../model/settings.ts';
import type { Principal } from '../../model/principal.ts';
import { Authentication, SaslFailure } from './authentication.ts';

const settings: KafkaAuthenticationSettings = {
  mechanisms: ['OAUTHBEARER', 'PLAIN'],
  allowTokensWithoutTls: false,
  maxSessionLifetimeMs: 1_000,
  certificates: [],
};

function principalOf(id: string): Principal {
  return {
    kind: 'workload',
    id,
    issuer: 'idp',
    groups: [],
    claims: {},
    expiresAtMs: null,
    credential: { type: 'jwt', id: `jti-${id}` },
  };
}

/** Takes `good` and `good.NAME`; each stands for the principal of that name. */
const verifier: Pick<TokenVerifier, 'verify'> = {
  verify: async (token) => {
    const [first, id = 'alice'] = token.split('.');
    if (first !== 'good') throw new SaslFailure('bad-signature', 'the signature is wrong');
    return principalOf(id);
  },
};

function begin(mechanism: 'OAUTHBEARER' | 'PLAIN', tls = true): Authentication {
  const authentication = new Authentication(settings, verifier as TokenVerifier, tls);
  assert.ok(authentication.choose(mechanism, 1));
  return authentication;
}

async function failureOf(authentication: Authentication, message: string, nowMs = 0): Promise<string> {
  return authentication.authenticate(Buffer.from(message), nowMs).then(
    () => 'taken',
    (error: unknown) => (error instanceof SaslFailure ? error.code : 'another error'),
  );
}

test('OAUTHBEARER: the token, extensions, an authorization id that is its own', async () => {
  for (const message of [
    'n,,\x01auth=Bearer good\x01\x01',
    'y,,\x01auth=bearer good\x01\x01',
    'n,,\x01auth=Bearer good\x01traceId=1\x01\x01',
    'n,a=alice,\x01auth=Bearer good\x01\x01',
  ]) {
    assert.equal((await begin('OAUTHBEARER').authenticate(Buffer.from(message), 0)).id, 'alice');
  }
});

test('OAUTHBEARER: everything else is told apart', async () => {
  for (const [message, code] of [
    ['', 'malformed'],
    ['n,,\x01\x01', 'malformed'],
    ['n,,\x01auth=Bearer good\x01', 'malformed'],
    ['n,,\x01auth=Basic good\x01\x01', 'malformed'],
    ['n,,\x01auth=Bearer good\x01auth=Bearer good.bob\x01\x01', 'malformed'],
    ['p=tls-unique,,\x01auth=Bearer good\x01\x01', 'malformed'],
    ['n,a=bob,\x01auth=Bearer good\x01\x01', 'authorization-id-refused'],
    ['n,,\x01auth=Bearer forged\x01\x01', 'bad-signature'],
    [`n,,\x01auth=Bearer ${'x'.repeat(70_000)}\x01\x01`, 'token-too-large'],
  ] as const) {
    assert.equal(await failureOf(begin('OAUTHBEARER'), message), code, JSON.stringify(message.slice(0, 60)));
  }
});

test('PLAIN: the token is the password', async () => {
  assert.equal(await failureOf(begin('PLAIN'), '\0anyone\0good'), 'taken');
  assert.equal(await failureOf(begin('PLAIN'), 'anyone\0anyone\0good'), 'taken');
  for (const message of ['', 'good', '\0good', '\0user\0', '\0user\0good\0more', 'root\0user\0good']) {
    assert.equal(await failureOf(begin('PLAIN'), message), 'malformed', JSON.stringify(message));
  }
});

test('tokens are not taken without TLS unless the settings say so', async () => {
  assert.equal(await failureOf(begin('PLAIN', false), '\0user\0good'), 'tls-required');
});

test('a message without a handshake before it is refused, also after the first success', async () => {
  const authentication = begin('PLAIN');
  assert.equal(await failureOf(authentication, '\0user\0good'), 'taken');
  assert.equal(await failureOf(authentication, '\0user\0good', 5_000), 'no-handshake');
});

test('KIP-368: once a second, the same principal, the same mechanism', async () => {
  const again = async (mechanism: 'OAUTHBEARER' | 'PLAIN', message: string, nowMs: number): Promise<string> => {
    const authentication = begin('PLAIN');
    assert.equal(await failureOf(authentication, '\0user\0good'), 'taken');
    authentication.choose(mechanism, 1);
    return failureOf(authentication, message, nowMs);
  };
  assert.equal(await again('PLAIN', '\0user\0good', 1_000), 'taken');
  assert.equal(await again('PLAIN', '\0user\0good', 999), 'reauthenticated-too-soon');
  assert.equal(await again('PLAIN', '\0user\0good.bob', 1_000), 'principal-changed');
  assert.equal(await again('OAUTHBEARER', 'n,,\x01auth=Bearer good\x01\x01', 1_000), 'mechanism-changed');
});

test('any bytes at all end in a principal or a SaslFailure', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('PLAIN' as const, 'OAUTHBEARER' as const),
      fc.uint8Array({ maxLength: 200 }),
      async (mechanism, bytes) => {
        await begin(mechanism)
          .authenticate(Buffer.from(bytes), 0)
          .catch((error: unknown) => assert.ok(error instanceof SaslFailure));
      },
    ),
    { numRuns: 500 },
  );
});
