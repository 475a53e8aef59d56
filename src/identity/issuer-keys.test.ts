import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createCertificateAuthority } from '../../harness/certificates.ts';
import type { CertificateAuthority } from '../../harness/certificates.ts';
import { startIdp } from '../../harness/idp.ts';
import { keySetPath, newStubKey, startIssuerStub } from '../../harness/issuer-stub.ts';
import { stubSettings } from '../../harness/token-refusal.ts';
import { systemClock } from '../lib/clock.ts';
import type { LogFields, Logger } from '../lib/logger.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { createTokenVerifier } from './token-verifier.ts';

let folder: string;
let authority: CertificateAuthority;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-issuer-'));
  authority = await createCertificateAuthority(folder);
});
after(() => rm(folder, { recursive: true }));

interface Line {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

function recordingLogger(): { readonly logger: Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, fields, message });
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadlineMs, 'it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('an issuer over TLS with a CA of its own: taken with caFile, refused without', async (t) => {
  const { cert, key } = await authority.serverFiles('issuer');
  const idp = await startIdp({ clients: [{ id: 'a', secret: 'b' }], tls: { cert, key } });
  t.after(() => idp.stop());
  const token = await idp.sign({ sub: 'over-tls' });
  const { lines, logger } = recordingLogger();
  const trusting = createTokenVerifier([{ ...stubSettings('tls', idp.issuer), caFile: authority.caFile }], {
    clock: systemClock,
    logger,
  });
  t.after(() => trusting.close());
  assert.equal((await trusting.verify(token)).id, 'over-tls');
  const strict = createTokenVerifier([stubSettings('tls', idp.issuer)], { clock: systemClock, logger });
  t.after(() => strict.close());
  await assert.rejects(strict.verify(token), { code: 'issuer-unavailable' });
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['issuer'], fields['keys'] ?? fields['keysAgeMs']]),
    [
      ['info', 'tls', 2],
      ['warn', 'tls', null],
    ],
  );
  assert.match(String(lines[1]?.fields['reason']), /certificate/);
});

test('a configured jwksUri is used as it is: no discovery', async (t) => {
  const stub = await startIssuerStub();
  t.after(() => stub.close());
  const key = await newStubKey('k1');
  stub.answer('/elsewhere', { keys: [key.jwk] });
  const settings = { ...stubSettings('a', stub.url), jwksUri: `${stub.url}/elsewhere` };
  const keys = new IssuerKeys(settings, { clock: systemClock, logger: recordingLogger().logger });
  assert.deepEqual(
    (await keys.find('k1', 'RS256')).map(({ keyId }) => keyId),
    ['k1'],
  );
  assert.deepEqual([...stub.requests], [['/elsewhere', 1]]);
});

test('after start the keys are fetched again by themselves, and no more after close', async (t) => {
  const stub = await startIssuerStub();
  t.after(() => stub.close());
  const [first, second] = await Promise.all([newStubKey('k1'), newStubKey('k2')]);
  stub.publish(first);
  const { lines, logger } = recordingLogger();
  const keys = new IssuerKeys({ ...stubSettings('a', stub.url), keysMaxAgeMs: 200 }, { clock: systemClock, logger });
  await keys.start();
  const thumbprint = (await keys.find('k1', 'RS256'))[0]?.thumbprint ?? '';
  assert.ok(keys.holds(thumbprint));
  stub.publish(second);
  await until(() => !keys.holds(thumbprint));
  assert.equal((await keys.find('k2', 'RS256')).length, 1);
  keys.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const asked = stub.requests.get(keySetPath);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(stub.requests.get(keySetPath), asked);
  assert.equal(keys.holds(thumbprint), false);
  assert.equal(lines.filter(({ level }) => level === 'info').length, 2, 'a change is logged, an unchanged set is not');
});

test('a key that cannot be used is reported with its id made printable', async (t) => {
  const stub = await startIssuerStub();
  t.after(() => stub.close());
  const key = await newStubKey('k1');
  stub.publish(key);
  stub.answer(keySetPath, {
    keys: [
      key.jwk,
      { ...key.jwk, kid: 'a\nb', d: 'AAAA' },
      { ...key.jwk, kid: 'short', n: (key.jwk.n ?? '').slice(0, 171) },
    ],
  });
  const { lines, logger } = recordingLogger();
  const keys = new IssuerKeys(stubSettings('a', stub.url), { clock: systemClock, logger });
  await keys.start();
  t.after(() => keys.close());
  const reported = lines
    .filter(({ level }) => level === 'warn')
    .map(({ fields }) => [fields['keyId'], fields['problem']]);
  assert.equal(reported.length, 2);
  assert.deepEqual(reported[0], ['a?b', 'it is a private key; the issuer has published a secret']);
  assert.equal(reported[1]?.[0], 'short');
  assert.match(String(reported[1]?.[1]), /at least 2048|2048 bits/);
});
