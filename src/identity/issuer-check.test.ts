import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../lib/logger.ts';
import type { CertificateMapping, IssuerSettings } from '../model/settings.ts';
import { checkCertificateMappings, checkIssuers } from './issuer-check.ts';
import { createTokenVerifier } from './token-verifier.ts';

const good: IssuerSettings = {
  name: 'corp',
  issuer: 'https://id.acme.example/realms/a',
  audiences: ['sluice'],
  algorithms: ['RS256'],
  clockLeewayMs: 30_000,
  keysMaxAgeMs: 3_600_000,
  mapping: { id: 'sub', groups: '"https://acme.example/groups"', kind: { value: 'user' } },
  requiredClaims: { 'tenant.id': ['acme'] },
};

const problems = (more: Partial<IssuerSettings>): string => checkIssuers([{ ...good, ...more }]).join('; ');

test('good issuers pass', () => {
  assert.deepEqual(
    checkIssuers([good, { ...good, name: 'local', issuer: 'http://127.0.0.1:8080', jwksUri: 'http://localhost:1/k' }]),
    [],
  );
});

test('each fault is named', () => {
  assert.match(problems({ algorithms: ['none'] }), /issuer corp: algorithm none would take unsigned tokens/);
  assert.match(problems({ algorithms: ['RS256', 'HS256'] }), /HS256 is symmetric/);
  assert.match(problems({ algorithms: ['RS1'] }), /"RS1" is not known; take one of RS256/);
  assert.match(problems({ issuer: 'http://id.acme.example' }), /must be https/);
  assert.match(problems({ issuer: 'http://localhost.evil.example' }), /must be https/);
  assert.match(problems({ issuer: 'http://127.0.0.1.evil.example' }), /must be https/);
  assert.match(problems({ issuer: 'id.acme.example' }), /is not a URL/);
  assert.match(problems({ issuer: 'https://id.acme.example/?a=b' }), /query or fragment/);
  assert.match(problems({ issuer: 'https://u:p@id.acme.example' }), /user name or password/);
  assert.match(problems({ jwksUri: 'ftp://id.acme.example/keys' }), /jwksUri .* must be https/);
  assert.match(problems({ name: 'mtls' }), /kept for client certificates/);
  assert.match(problems({ name: '' }), /no name/);
  assert.match(problems({ audiences: [''] }), /audiences/);
  assert.match(problems({ clockLeewayMs: 3_600_000 }), /between 0 and 300 s/);
  assert.match(problems({ keysMaxAgeMs: 0 }), /maximum age/);
  assert.match(problems({ requiredClaims: { a: [] } }), /every token would be refused/);
  assert.match(problems({ requiredClaims: { 'a..b': ['x'] } }), /claim path "a\.\.b"/);
  assert.match(problems({ mapping: { id: '"sub', kind: { value: 'user' } } }), /claim path/);
});

test('two issuers may share neither name nor URL', () => {
  assert.match(checkIssuers([good, { ...good, issuer: 'https://other.example' }]).join(), /name corp is given twice/);
  assert.match(checkIssuers([good, { ...good, name: 'b' }]).join(), /configured twice/);
});

test('a verifier is not made of faulty issuers', () => {
  const options = { clock: { nowMs: () => 0 }, logger: silentLogger };
  assert.throws(() => createTokenVerifier([{ ...good, algorithms: ['none'] }], options), { code: 'issuers-invalid' });
});

test('certificate rules: pattern, groups, kind', () => {
  const rule: CertificateMapping = { from: 'subject', match: 'CN=(.*)', id: '$1', kind: 'job', groups: ['a'] };
  const problem = (more: object): string => checkCertificateMappings([rule, { ...rule, ...more }]).join();
  assert.deepEqual(checkCertificateMappings([rule]), []);
  assert.match(problem({ match: '(' }), /certificate rule 2: match is not a regular expression/);
  assert.match(problem({ match: '(?=a)' }), /RE2/);
  assert.match(problem({ id: '$2' }), /\$2, but match has 1 groups/);
  assert.match(problem({ kind: 'robot' }), /"robot" is not one of user/);
  assert.match(problem({ groups: [''] }), /group is empty/);
});
