import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { createCertificateAuthority } from './certificates.ts';
import type { CertificateAuthority } from './certificates.ts';

let folder: string;
let authority: CertificateAuthority;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-certificates-'));
  authority = await createCertificateAuthority(folder);
});
after(() => rm(folder, { recursive: true }));

test('a server and a client accept each other, and each other only', async () => {
  const server = await authority.serverFiles('server', { dns: ['localhost', '*.gateway.test'], ips: ['127.0.0.1'] });
  const client = await authority.clientFiles('client', { subject: 'CN=job\\, one,O=Acme' });
  const listener = createServer({
    cert: server.cert,
    key: server.key,
    ca: authority.ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  try {
    const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'b1.gateway.test',
      ca: authority.ca,
      cert: client.cert,
      key: client.key,
    });
    await once(socket, 'secureConnect');
    const [peer] = await accepted;
    assert.equal(peer.getPeerCertificate().subject.CN, 'job, one');
    socket.destroy();
    const other = await createCertificateAuthority(join(folder, 'other'));
    const stranger = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: other.ca });
    const [error] = (await once(stranger, 'error').catch((thrown: unknown) => [thrown])) as [Error];
    assert.match(error.message, /certificate/);
  } finally {
    listener.close();
  }
});

test('subject alternative names and validity are as asked; keys are private files', async () => {
  const files = await authority.clientFiles('odd', {
    uris: ['spiffe://acme/ns/a'],
    emails: ['a@b.c'],
    notBefore: new Date(Date.now() - 2 * 86_400_000),
    notAfter: new Date(Date.now() - 86_400_000),
  });
  const certificate = new X509Certificate(files.cert);
  assert.equal(certificate.subjectAltName, 'URI:spiffe://acme/ns/a, email:a@b.c');
  assert.ok(certificate.validToDate.getTime() < Date.now());
  assert.ok(certificate.verify(new X509Certificate(authority.ca).publicKey));
  assert.equal((await stat(files.keyFile)).mode & 0o077, 0);
});

test('openssl takes the chain for its purpose', async () => {
  const files = await authority.serverFiles('chain');
  const { stdout } = await promisify(execFile)('openssl', [
    'verify',
    '-purpose',
    'sslserver',
    '-x509_strict',
    '-CAfile',
    authority.caFile,
    files.certFile,
  ]);
  assert.match(stdout, /: OK/);
});
