import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createCertificateAuthority } from '../../harness/certificates.ts';
import type { CertificateAuthority, CertificateOptions } from '../../harness/certificates.ts';
import type { CertificateMapping } from '../model/settings.ts';
import type { AuthenticationError, AuthenticationErrorCode } from './authentication-error.ts';
import { readCertificateNames } from './certificate-names.ts';
import { principalFromCertificate } from './certificate-principal.ts';

let folder: string;
let authority: CertificateAuthority;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-mtls-'));
  authority = await createCertificateAuthority(folder);
});
after(() => rm(folder, { recursive: true }));

async function certificateOf(options: CertificateOptions): Promise<{ readonly raw: Buffer }> {
  const { cert } = await authority.clientFiles(`client-${++made}`, options);
  return { raw: new X509Certificate(cert).raw };
}

const rule = (
  from: CertificateMapping['from'],
  match: string,
  more: Partial<CertificateMapping> = {},
): CertificateMapping => ({
  from,
  match,
  kind: 'workload',
  groups: ['machines'],
  ...more,
});

function refusal(
  certificate: { readonly raw?: Buffer } | undefined,
  mappings: readonly CertificateMapping[],
  code: AuthenticationErrorCode,
  nowMs = Date.now(),
): AuthenticationError {
  let error: AuthenticationError | undefined;
  try {
    principalFromCertificate(certificate, mappings, nowMs);
  } catch (thrown) {
    error = thrown as AuthenticationError;
  }
  assert.equal(error?.code, code, error?.message);
  return error;
}

test('a certificate becomes a principal by the first rule that matches', async () => {
  const notAfter = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 3_600_000);
  const certificate = await certificateOf({
    subject: [{ O: ['Acme'] }, { CN: ['settle'] }],
    dns: ['settle.jobs.acme.test'],
    uris: ['spiffe://acme/ns/payments/sa/settle'],
    emails: ['ops@acme.test'],
    notAfter,
  });
  const principal = principalFromCertificate(
    certificate,
    [
      rule('subject', 'CN=(?:other)'),
      rule('san-uri', 'spiffe://acme/ns/([a-z]+)/sa/([a-z]+)', { id: '$2.$1', kind: 'job', groups: ['jobs'] }),
      rule('subject', '.*'),
    ],
    Date.now(),
  );
  const parsed = new X509Certificate(certificate.raw);
  assert.deepEqual(principal, {
    kind: 'job',
    id: 'settle.payments',
    issuer: 'mtls',
    groups: ['jobs'],
    claims: {
      subject: 'CN=settle,O=Acme',
      san: { dns: ['settle.jobs.acme.test'], uri: ['spiffe://acme/ns/payments/sa/settle'], email: ['ops@acme.test'] },
      serial: parsed.serialNumber.toLowerCase(),
      fingerprint: parsed.fingerprint256.replaceAll(':', '').toLowerCase(),
    },
    expiresAtMs: notAfter.getTime(),
    credential: { type: 'client-certificate', id: parsed.fingerprint256.replaceAll(':', '').toLowerCase() },
  });
});

test('the id is the template, else group 1, else the whole name', async () => {
  const certificate = await certificateOf({
    subject: 'CN=settle,O=Acme',
    dns: ['a.test', 'b.test'],
    emails: ['ops@acme.test'],
  });
  const idBy = (mapping: CertificateMapping): string => principalFromCertificate(certificate, [mapping], Date.now()).id;
  assert.equal(idBy(rule('subject', 'O=Acme,CN=([^,]+)')), 'settle');
  assert.equal(idBy(rule('subject', 'O=Acme,CN=.*')), 'O=Acme,CN=settle');
  assert.equal(idBy(rule('san-dns', 'b\\.test')), 'b.test');
  assert.equal(idBy(rule('san-email', '(.*)@acme\\.test', { id: 'mail/$1' })), 'mail/ops');
});

test('a rule matches whole names only', async () => {
  const certificate = await certificateOf({ subject: 'CN=settle-evil', dns: ['settle.acme.test.evil.test'] });
  refusal(
    certificate,
    [rule('subject', 'CN=settle'), rule('san-dns', 'settle\\.acme\\.test'), rule('san-dns', 'settle|evil')],
    'certificate-unmapped',
  );
});

// What Java 17 wrote for these subjects (X500Principal.getName("RFC2253")), and thus what a Kafka broker sees. The one
// exception is BMPString, whose two-byte characters Java shows as bytes ("\00W\00i…"); they are decoded here.
const javaNames: readonly [NonNullable<CertificateOptions['subject']>, string][] = [
  [
    [
      { C: ['DE'] },
      { ST: ['Bayern'] },
      { L: ['München'] },
      { O: ['Acme, Inc.'] },
      { OU: ['a+b=c'] },
      { CN: [{ utf8String: 'svc "x" <y>;#z\\' }] },
    ],
    String.raw`CN=svc \"x\" \<y\>\;\#z\\,OU=a\+b\=c,O=Acme\, Inc.,L=München,ST=Bayern,C=DE`,
  ],
  [[{ CN: ['one'], OU: ['two'] }, { DC: ['acme'] }, { DC: ['example'] }], 'DC=example,DC=acme,CN=one+OU=two'],
  [
    [{ '0.9.2342.19200300.100.1.1': ['u7'] }, { '2.5.4.9': ['Road 1'] }, { CN: [{ utf8String: ' lead and trail  ' }] }],
    String.raw`CN=\ lead and trail\ \ ,STREET=Road 1,UID=u7`,
  ],
  [[{ E: ['a@b.c'] }, { CN: [{ utf8String: '#hash' }] }], String.raw`CN=\#hash,1.2.840.113549.1.9.1=#16056140622e63`],
  [[{ CN: [{ utf8String: 'CN=admin,O=Acme' }] }], String.raw`CN=CN\=admin\,O\=Acme`],
  [[{ CN: ['日本 😀'] }, { '2.5.4.5': ['12345'] }], '2.5.4.5=#13053132333435,CN=日本 😀'],
  [
    [{ CN: [{ ia5String: 'plain' }] }, { O: [{ printableString: 'Printable' }] }, { OU: [{ bmpString: 'Wide' }] }],
    'OU=Wide,O=Printable,CN=plain',
  ],
  [[{ CN: [{ utf8String: 'a\0b' }] }], String.raw`CN=a\00b`],
  [[{ CN: [{ utf8String: '   ' }] }], String.raw`CN=\ \ \ `],
  [[{ CN: [{ utf8String: '' }] }], 'CN='],
];

test('subjects read as a Kafka broker reads them', async () => {
  for (const [subject, expected] of javaNames) {
    assert.equal(readCertificateNames((await certificateOf({ subject })).raw).subject, expected);
  }
});

test('a name that poses as several stays one (CVE-2021-44532)', async () => {
  const uri = await certificateOf({ uris: ['spiffe://x/a,DNS:admin.acme.test'] });
  assert.deepEqual(readCertificateNames(uri.raw).dns, []);
  refusal(uri, [rule('san-dns', 'admin\\.acme\\.test')], 'certificate-unmapped');
  const subject = await certificateOf({ subject: [{ CN: [{ utf8String: 'x,O=Acme' }] }] });
  refusal(subject, [rule('subject', '.*,O=Acme'), rule('subject', 'CN=x,O=Acme')], 'certificate-unmapped');
  for (const dns of ['a.test, DNS:admin.acme.test', 'admin.acme.test\0.evil.test', 'a\nb']) {
    refusal(await certificateOf({ dns: [dns] }), [rule('san-dns', '.*')], 'certificate-invalid');
  }
});

test('two lists of names are one too many', async () => {
  const { raw } = await certificateOf({ dns: ['a.test'] });
  const bytes = Buffer.from(raw);
  // The subject key identifier (2.5.29.14) becomes a second list of subject alternative names (2.5.29.17).
  const at = bytes.indexOf(Buffer.from('0603551d0e', 'hex'));
  assert.ok(at > 0);
  bytes[at + 4] = 0x11;
  assert.throws(() => readCertificateNames(bytes), /two lists/);
});

test('ids that could mislead are refused', async () => {
  const newline = await certificateOf({ subject: [{ CN: [{ utf8String: 'a\nb' }] }] });
  refusal(newline, [rule('subject', '(?s)CN=(.*)')], 'certificate-invalid');
  refusal(await certificateOf({ subject: 'CN=x' }), [rule('subject', 'CN=x(.*)')], 'certificate-invalid');
});

test('no certificate, garbage, out of its time', async () => {
  const mappings = [rule('subject', '.*')];
  refusal(undefined, mappings, 'certificate-missing');
  refusal({}, mappings, 'certificate-missing');
  refusal({ raw: Buffer.from('3003020101', 'hex') }, mappings, 'certificate-invalid');
  const nowMs = Date.now();
  const expired = await certificateOf({ notBefore: new Date(nowMs - 20_000), notAfter: new Date(nowMs - 10_000) });
  assert.match(refusal(expired, mappings, 'expired').detail, /serial [0-9A-F]+, SHA-256 [0-9a-f]{64}/);
  const early = await certificateOf({ notBefore: new Date(nowMs + 60_000) });
  refusal(early, mappings, 'not-yet-valid');
  refusal(early, mappings, 'expired', Number.NaN);
});

test('whatever bytes change in a certificate, reading its names ends in names or in a RangeError', async () => {
  const { raw } = await certificateOf({ subject: 'CN=a,O=b', dns: ['a.test'], uris: ['x://y'], emails: ['a@b.c'] });
  const change = fc.tuple(fc.nat(raw.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(raw.length), (changes, length) => {
      const bytes = Buffer.from(raw);
      for (const [at, value] of changes) bytes[at] = value;
      for (const candidate of [bytes, bytes.subarray(0, length)]) {
        try {
          assert.equal(typeof readCertificateNames(candidate).subject, 'string');
        } catch (thrown) {
          assert.ok(thrown instanceof RangeError, String(thrown));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a hostile pattern costs no time', async () => {
  const certificate = await certificateOf({ subject: [{ CN: [{ utf8String: 'a'.repeat(60) }] }] });
  const beganMs = performance.now();
  refusal(certificate, [rule('subject', 'CN=(a+)+b')], 'certificate-unmapped');
  assert.ok(performance.now() - beganMs < 1_000);
});
