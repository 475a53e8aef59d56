/** Client certificates as identities: which principal they make, which are refused, and how they go with tokens. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import {
  type CertificateFiles,
  type CertificateOptions,
  createCertificateAuthority,
} from '../../harness/certificates.ts';
import { type PortScenes, certificate, failure, opened, startPortScenes, tlsTo } from '../../harness/port-scenes.ts';
import type { Scene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';

const certificates = [
  { from: 'subject', match: 'CN=([a-z]+),OU=machines', kind: 'workload', groups: ['machines'] },
  { from: 'san-uri', match: 'spiffe://sluice\\.test/([a-z]+)', id: 'spiffe-$1', kind: 'workload', groups: [] },
  { from: 'san-dns', match: '([a-z]+)\\.machines\\.sluice\\.test', kind: 'workload', groups: ['machines'] },
] as const;
const payments = { topics: [{ name: 'payments' }] };
const ledger = { topics: [{ name: 'ledger' }] };

let ground: PortScenes;

before(async () => {
  ground = await startPortScenes();
});

after(async () => {
  await ground?.stop();
});

describe('client certificates, required', () => {
  let on: Scene;

  before(async () => {
    on = await ground.scene({
      tls: 'mutual-required',
      authentication: { mechanisms: [], allowTokensWithoutTls: false, maxSessionLifetimeMs: 3_600_000, certificates },
    });
  });

  const mapped: [string, string, CertificateOptions][] = [
    ['subject', 'billing', { subject: 'OU=machines,CN=billing' }],
    ['URI', 'spiffe-settle', { subject: 'CN=whoever', uris: ['spiffe://sluice.test/settle'] }],
    ['DNS name', 'ledgerd', { subject: 'CN=whoever', dns: ['ledgerd.machines.sluice.test'] }],
  ];
  for (const [what, id, options] of mapped) {
    test(`the ${what} makes the principal ${id}, who may what the policy grants it, over TLS with a port per broker`, async () => {
      const files = await certificate(on, id, options);
      for (const address of [on.bootstrap, on.brokerAddress(0)]) {
        const client = await WireClient.connect(address, tlsTo(on, 'localhost', files));
        const answer = await client.ask('Metadata', 12, { topics: [...ledger.topics, ...payments.topics] });
        assert.deepEqual(
          new Map(answer.topics.map(({ name, errorCode }) => [name, errorCode])),
          new Map([
            ['ledger', 0],
            ['payments', errorCodes.TOPIC_AUTHORIZATION_FAILED],
          ]),
        );
        client.close();
      }
      const entry = await opened(on, { id });
      assert.match(JSON.stringify(entry.data), /"mechanism":"MTLS"/);
    });
  }

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`a client that resumes its TLS session is still known by its certificate: ${maxVersion}`, async () => {
      const files = await certificate(on, 'resuming', { subject: 'OU=machines,CN=billing' });
      const options = tlsTo(on, 'localhost', files).tls ?? {};
      let session: Buffer | undefined;
      for (let times = 0; times < 3; times += 1) {
        const client = await WireClient.connect(on.bootstrap, {
          tls: { ...options, maxVersion, ...(session === undefined ? {} : { session }) },
        });
        client.socket.on('session', (bytes: Buffer) => (session = bytes));
        assert.equal((await client.ask('Metadata', 12, ledger)).topics[0]?.errorCode, 0);
        assert.ok(client.socket instanceof TLSSocket);
        session ??= client.socket.getSession();
        client.close();
      }
    });
  }

  test('it offers no SASL', async () => {
    const client = await WireClient.connect(
      on.bootstrap,
      tlsTo(on, 'localhost', await certificate(on, 'nosasl', { subject: 'OU=machines,CN=billing' })),
    );
    const { apiKeys } = await client.ask('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' });
    assert.equal(
      apiKeys.some(({ apiKey }) => apiKey === 17 || apiKey === 36),
      false,
    );
    client.close();
  });

  const refused: [string, string, () => Promise<CertificateFiles | undefined>][] = [
    ['no certificate', 'certificate-missing', async () => undefined],
    [
      'an expired certificate',
      'expired',
      () =>
        certificate(on, 'old', {
          subject: 'OU=machines,CN=billing',
          notBefore: new Date(Date.now() - 7_200_000),
          notAfter: new Date(Date.now() - 60_000),
        }),
    ],
    [
      'a certificate that no rule maps',
      'certificate-unmapped',
      () => certificate(on, 'odd', { subject: 'CN=stranger' }),
    ],
    [
      'a subject with more around it',
      'certificate-unmapped',
      () => certificate(on, 'around', { subject: 'O=x,OU=machines,CN=billing' }),
    ],
    [
      'the certificate of another CA',
      'certificate-untrusted',
      async () => {
        const other = await createCertificateAuthority(join(on.folder, 'other'), 'gateway');
        return other.clientFiles('fake', { subject: 'OU=machines,CN=billing' });
      },
    ],
    [
      "a server's certificate",
      'certificate-untrusted',
      async () => on.authority?.serverFiles('srv', { subject: 'OU=machines,CN=billing', dns: ['x.sluice.test'] }),
    ],
  ];
  for (const [what, code, files] of refused) {
    test(`${what} is refused, and the log has it: ${code}`, async () => {
      const since = Date.now();
      const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', await files())).catch(() => null);
      client?.write(client.frame('Metadata', 12, ledger));
      assert.ok(client === null || (await client.closes(2_000)));
      assert.equal(client === null ? null : await client.payload(), null);
      await failure(on, code, since);
    });
  }
});

describe('client certificates, optional, beside tokens', () => {
  let on: Scene;

  before(async () => {
    on = await ground.scene({
      tls: 'mutual-optional',
      authentication: {
        mechanisms: ['OAUTHBEARER'],
        allowTokensWithoutTls: false,
        maxSessionLifetimeMs: 3_600_000,
        certificates,
      },
    });
  });

  test('without a certificate a token is needed, and is taken', async () => {
    const without = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost'));
    without.write(without.frame('Metadata', 12, payments));
    assert.equal(await without.payload(), null);
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost'));
    assert.equal((await client.authenticate(await ground.idp.token('alice'))).errorCode, 0);
    assert.equal((await client.ask('Metadata', 12, payments)).topics[0]?.errorCode, 0);
    client.close();
  });

  test('with both, the token says who it is', async () => {
    const client = await WireClient.connect(
      on.bootstrap,
      tlsTo(on, 'localhost', await certificate(on, 'both', { subject: 'OU=machines,CN=billing' })),
    );
    assert.equal((await client.authenticate(await ground.idp.token('bob'))).errorCode, 0);
    const answer = await client.ask('Metadata', 12, { topics: [...payments.topics, ...ledger.topics] });
    assert.deepEqual(
      new Map(answer.topics.map(({ name, errorCode }) => [name, errorCode])),
      new Map([
        ['payments', 0],
        ['ledger', errorCodes.TOPIC_AUTHORIZATION_FAILED],
      ]),
    );
    await opened(on, { id: 'bob' });
    client.close();
  });

  test('a connection that has worked on its certificate does not change hands by a token', async () => {
    const since = Date.now();
    const client = await WireClient.connect(
      on.bootstrap,
      tlsTo(on, 'localhost', await certificate(on, 'change', { subject: 'OU=machines,CN=billing' })),
    );
    assert.equal((await client.ask('Metadata', 12, ledger)).topics[0]?.errorCode, 0);
    const answer = await client.authenticate(await ground.idp.token('alice')).catch(() => null);
    assert.notEqual(answer?.errorCode, 0);
    assert.ok(await client.closes(2_000));
    await failure(on, 'principal-changed', since);
  });

  test('a certificate that the CA does not vouch for ends the connection, token or not', async () => {
    const since = Date.now();
    const files = await certificate(on, 'old2', {
      subject: 'CN=x',
      notBefore: new Date(Date.now() - 7_200_000),
      notAfter: new Date(Date.now() - 60_000),
    });
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', files));
    assert.ok(await client.closes(2_000));
    await failure(on, 'expired', since);
  });

  test('a connection on a certificate ends with it', async () => {
    const files = await certificate(on, 'brief', {
      subject: 'OU=machines,CN=billing',
      notAfter: new Date(Date.now() + 4_000),
    });
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', files));
    assert.equal((await client.ask('Metadata', 12, ledger)).topics[0]?.errorCode, 0);
    assert.ok(await client.closes(6_000));
  });
});
