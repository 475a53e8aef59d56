import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PolicyContext } from './contract.ts';
import type { SubjectDocument } from './document.ts';
import { tenancyFault } from './tenancy.ts';
import { policy, problemsOf } from './test-kit.ts';

const urls = {
  buildkite: 'https://agent.buildkite.com',
  github: 'https://token.actions.githubusercontent.com',
  gitlab: 'https://gitlab.com',
  google: 'https://accounts.google.com',
} as const;
type Shared = keyof typeof urls;

function issuers(...names: readonly Shared[]): PolicyContext {
  const corp = { name: 'corp', issuer: 'https://idp.example', requiredClaims: {} };
  return {
    ports: [{ name: 'orders', protocol: 'kafka' }],
    issuers: [corp, ...names.map((name) => ({ name, issuer: urls[name], requiredClaims: {} }))],
  };
}

function claims(claim: string, ...values: readonly (string | number)[]): SubjectDocument['claims'] {
  return { [claim]: values };
}

describe('a subject on a shared issuer', () => {
  const binding: readonly (readonly [Shared, string, string])[] = [
    ['buildkite', 'organization_id', '0190-uuid'],
    ['buildkite', 'organization_slug', 'acme'],
    ['github', 'repository_owner', 'acme'],
    ['github', 'repository_owner_id', '65'],
    ['github', 'repository', 'acme/app'],
    ['github', 'repository', 'acme/*'],
    ['github', 'repository_id', '123'],
    ['github', 'sub', 'repo:acme/app:ref:refs/heads/main'],
    ['github', 'sub', 'repo:acme@65/app@12:**'],
    ['gitlab', 'namespace_id', '72'],
    ['gitlab', 'namespace_path', 'acme'],
    ['gitlab', 'namespace_path', 'acme/**'],
    ['gitlab', 'project_id', '9'],
    ['gitlab', 'project_path', 'acme/app'],
    ['gitlab', 'sub', 'project_path:acme/app:**'],
    ['google', 'hd', 'acme.example'],
    ['google', 'sub', '1234567890'],
    ['google', 'email', 'bob@acme.example'],
  ];
  for (const [issuer, claim, value] of binding) {
    it(`may name ${issuer} with ${claim}: ${value}`, () => {
      assert.equal(tenancyFault({ issuer: [issuer], claims: claims(claim, value) }, issuers(issuer)), null);
      assert.equal(
        tenancyFault({ claims: claims(claim, value) }, issuers(issuer)),
        null,
        'also without naming the issuer',
      );
      assert.equal(tenancyFault({ claims: claims(`"${claim}"`, value) }, issuers(issuer)), null, 'also when quoted');
    });
  }

  const open: readonly (readonly [Shared, string, string])[] = [
    ['buildkite', 'pipeline_slug', 'deploy'],
    ['buildkite', 'organization_slug', '*'],
    ['buildkite', 'organization_slug', '**'],
    ['buildkite', 'organization_slug', 'acme*'], // anybody can register acme-evil
    ['buildkite', 'organization_slug', '*acme'],
    ['buildkite', 'sub', 'organization:acme:**'], // the job chooses what sub is made of
    ['github', 'repository', '*/app'],
    ['github', 'repository', 'acme*'],
    ['github', 'repository', 'acme*/app'],
    ['github', 'repository_owner', 'acme-*'],
    ['github', 'sub', 'repo:*/app:**'],
    ['github', 'sub', 'repo:acme*'],
    ['github', 'sub', '**:acme/app:**'],
    ['github', 'sub', 'environment:production'], // a custom subject without the owner
    ['github', 'actor', 'alice'],
    ['gitlab', 'project_path', '*/app'],
    ['gitlab', 'namespace_path', 'acme*'],
    ['gitlab', 'sub', 'project_path:*/app:**'],
    ['google', 'email', '*@acme.example'],
    ['google', 'hd', '*'],
    ['google', 'email_verified', 'true'],
  ];
  for (const [issuer, claim, value] of open) {
    it(`may not name ${issuer} with only ${claim}: ${value}`, () => {
      assert.match(
        tenancyFault({ issuer: [issuer], claims: claims(claim, value) }, issuers(issuer)) ?? '',
        /lets in every organisation/,
      );
      assert.match(tenancyFault({ claims: claims(claim, value) }, issuers(issuer)) ?? '', /say so with "issuer:"/);
    });
  }

  it('must bind with every value, since values are alternatives', () => {
    assert.notEqual(
      tenancyFault({ issuer: ['buildkite'], claims: claims('organization_slug', 'acme', '*') }, issuers('buildkite')),
      null,
    );
    assert.equal(
      tenancyFault(
        { issuer: ['buildkite'], claims: claims('organization_slug', 'acme', 'acme-labs') },
        issuers('buildkite'),
      ),
      null,
    );
  });

  it('must bind every shared issuer it can match', () => {
    const both = issuers('buildkite', 'github');
    assert.match(tenancyFault({ claims: claims('organization_slug', 'acme') }, both) ?? '', /GitHub Actions/);
    assert.equal(tenancyFault({ claims: { organization_slug: ['acme'], repository_owner: ['acme'] } }, both), null);
    assert.equal(tenancyFault({ issuer: ['buildkite'], claims: claims('organization_slug', 'acme') }, both), null);
  });

  it('may bind by an id that holds the tenant, where the issuer fixes what a sub is made of', () => {
    assert.equal(tenancyFault({ id: ['repo:acme/app:ref:refs/heads/main'] }, issuers('github')), null);
    assert.notEqual(tenancyFault({ id: ['repo:*/app:**'] }, issuers('github')), null);
    assert.notEqual(tenancyFault({ id: ['alice'] }, issuers('github')), null);
    assert.notEqual(tenancyFault({ id: ['organization:acme:pipeline:deploy'] }, issuers('buildkite')), null);
  });

  it('needs no binding where the configuration requires the tenant of every token', () => {
    const bound = issuers('buildkite');
    const context = {
      ...bound,
      issuers: bound.issuers.map((issuer) =>
        issuer.name === 'buildkite' ? { ...issuer, requiredClaims: { organization_slug: ['acme'] } } : issuer,
      ),
    };
    assert.equal(tenancyFault({ issuer: ['buildkite'], claims: claims('pipeline_slug', 'deploy') }, context), null);
    const loose = {
      ...context,
      issuers: context.issuers.map((issuer) => ({ ...issuer, requiredClaims: { pipeline_slug: ['deploy'] } })),
    };
    assert.notEqual(tenancyFault({ issuer: ['buildkite'] }, loose), null, 'another required claim does not bind');
  });

  it('needs none where the issuer cannot give what it asks for', () => {
    const jobs = issuers('buildkite');
    const context = {
      ...jobs,
      issuers: jobs.issuers.map((issuer) =>
        issuer.name === 'buildkite' ? { ...issuer, kinds: ['job' as const], mapsGroups: false } : issuer,
      ),
    };
    assert.equal(tenancyFault({ group: ['eng'] }, context), null);
    assert.equal(tenancyFault({ kind: ['user'] }, context), null);
    assert.equal(tenancyFault({ issuer: ['corp'] }, context), null);
    assert.notEqual(tenancyFault({ kind: ['user', 'job'] }, context), null);
    assert.notEqual(tenancyFault({ group: ['eng'] }, jobs), null, 'unless nothing is known of its mapping');
  });

  it('is found whatever slash or case the configuration writes the URL with', () => {
    const context: PolicyContext = {
      ...issuers(),
      issuers: [{ name: 'bk', issuer: 'https://Agent.Buildkite.com/', requiredClaims: {} }],
    };
    assert.notEqual(tenancyFault({ issuer: ['bk'] }, context), null);
  });

  it('is refused at load, with its place and the way out', () => {
    const document = policy('p', {
      subjects: [{ issuer: 'buildkite', claims: { pipeline_slug: 'deploy' } }],
      allow: [{ port: 'orders', topics: ['a'], actions: ['read'] }],
    });
    const [first = ''] = problemsOf([document], issuers('buildkite'));
    assert.match(first, /^0\.yaml:1:\d+: This subject lets in every organisation on Buildkite: issuer "buildkite"/);
    assert.match(first, /Add a claim without wildcards: organization_id .* Or set requiredClaims/);
  });
});
