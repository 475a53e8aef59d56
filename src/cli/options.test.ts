import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { exitCodeMeanings } from './exit-codes.ts';
import { parseOperation } from './operation-options.ts';
import type { OperationOptions } from './operation-options.ts';
import { parsePrincipal, readPrincipal } from './principal-option.ts';

const usage = (message: RegExp): { exitCode: number; message: RegExp } => ({ exitCode: 2, message });

describe('--principal', () => {
  test('says id, issuer, kind, groups and claims', () => {
    const { kind, id, issuer, groups, claims } = parsePrincipal(
      String.raw`kind=job, id=a\,b ,issuer=buildkite,group=x,group=y,claim:mfa=true,claim:build=17,claim:text="17",claim:list=[1\,2],claim:ref=refs/heads/main`,
      ['corp', 'buildkite'],
    );
    assert.deepEqual(
      { kind, id, issuer, groups, claims },
      {
        kind: 'job',
        id: 'a,b',
        issuer: 'buildkite',
        groups: ['x', 'y'],
        claims: { mfa: true, build: 17, text: '17', list: [1, 2], ref: 'refs/heads/main' },
      },
    );
  });

  test('takes the only issuer, and a client certificate', () => {
    assert.equal(parsePrincipal('id=a', ['corp']).issuer, 'corp');
    assert.equal(parsePrincipal('id=a,issuer=mtls', ['corp']).credential.type, 'client-certificate');
  });

  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['', /needs an id/],
    ['alice', /is not KEY=VALUE/],
    ['id=a', /one of one, two, mtls/],
    ['id=a,issuer=on', /Did you mean "one"/],
    ['id=a,issuer=one,kind=robot', /no kind of principal/],
    ['id=a,id=b,issuer=one', /"id" twice/],
    ['id=a,issuer=one,grup=x', /Did you mean "group"/],
  ];
  for (const [text, message] of cases) {
    test(`"${text}" is refused`, () => assert.throws(() => parsePrincipal(text, ['one', 'two']), usage(message)));
  }

  test('can come from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-principal-'));
    const path = join(folder, 'p.json');
    try {
      await writeFile(path, '{"id":"a","kind":"user","groups":["g"],"claims":{"org":{"name":"acme"}}}');
      const principal = await readPrincipal(path, ['corp']);
      assert.deepEqual([principal.id, principal.kind, principal.claims], ['a', 'user', { org: { name: 'acme' } }]);
      await writeFile(path, '{"id":"a","grups":[]}');
      await assert.rejects(readPrincipal(path, ['corp']), usage(/grups/));
      await writeFile(path, 'id=a');
      await assert.rejects(readPrincipal(path, ['corp']), usage(/is not JSON/));
      await assert.rejects(readPrincipal(join(folder, 'nope'), ['corp']), { exitCode: 1 });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('the operation', () => {
  test('is one action on one resource', () => {
    assert.deepEqual(parseOperation({ action: 'write', topic: 'a', partition: '3' }), {
      action: 'write',
      resourceType: 'topic',
      resourceName: 'a',
      partition: 3,
    });
    assert.deepEqual(parseOperation({ action: 'alter', cluster: true }), {
      action: 'alter',
      resourceType: 'cluster',
      resourceName: 'kafka-cluster',
    });
  });

  const cases: readonly (readonly [options: OperationOptions, message: RegExp])[] = [
    [{ topic: 'a' }, /Name what is done/],
    [{ action: 'raed', topic: 'a' }, /Did you mean "read"/],
    [{ action: 'read' }, /Name the resource/],
    [{ action: 'read', topic: 'a', cluster: true }, /Name one resource/],
    [{ action: 'read', group: 'a', partition: '1' }, /goes with --topic/],
    [{ action: 'read', topic: 'a', partition: '-1' }, /takes a number from 0/],
  ];
  for (const [options, message] of cases) {
    test(`${JSON.stringify(options)} is refused`, () => assert.throws(() => parseOperation(options), usage(message)));
  }
});

test('docs/cli.md has the exit codes that the commands have', async () => {
  const page = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| (\d[\d, ]*?) +\| (.*?) +\|$/gm)].map(([, code, meaning]) => [code, meaning]);
  assert.deepEqual(rows, exitCodeMeanings);
});
