/** `sluice audit …` as its users run it: what it prints, and what it ends with. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { auditEvent, openAuditLog } from '../audit/audit.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { runAudit, writeLog } from './testing/small-log.ts';
import type { Result } from './testing/small-log.ts';

let folder = '';
let vkey = '';
const run = (...args: readonly string[]): Promise<Result> => runAudit(folder, ...args);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-audit-cli-'));
  await writeLog(folder);
  vkey = (await readFile(join(folder, 'audit', 'checkpoints', 'log.vkey'), 'utf8')).trim();
});
after(() => rm(folder, { recursive: true, force: true }));

describe('verify', () => {
  test('is 0 with a pinned key, from the command line or a file, and keeps the checkpoint', async () => {
    const first = await run('verify', '--key', vkey, '--checkpoint', 'last');
    assert.deepEqual([first.code, first.err.includes('Not compared')], [0, true], first.out);
    assert.match(first.out, /^integrity +intact\ncompleteness +complete$/m);
    await writeFile(join(folder, 'auditor.vkey'), `# ours\n${vkey}\n`);
    const second = await run('verify', 'audit', '--key', 'auditor.vkey', '--checkpoint', 'last', '-o', 'json');
    assert.equal(second.code, 0, second.out);
    const report = JSON.parse(second.out) as Record<string, unknown>;
    assert.deepEqual([report['ok'], report['compared'], report['kept'], report['findings']], [true, true, true, []]);
    assert.ok((await readFile(join(folder, 'last'), 'utf8')).startsWith('sluice/gw\n9\n'));
  });

  test('is 7 without a pinned key, 6 where something is missing, 5 where something was changed', async () => {
    assert.equal((await run('verify')).code, 7);
    const [name = ''] = (await readdir(join(folder, 'audit'))).filter((each) => each.endsWith('.jsonl'));
    const path = join(folder, 'audit', name);
    const good = await readFile(path, 'utf8');
    try {
      await writeFile(path, good.slice(0, good.lastIndexOf('{')));
      const cut = await run('verify', '--key', vkey);
      assert.deepEqual([cut.code, /a checkpoint was signed over 9 entries, and 8 are here/.test(cut.out)], [6, true]);
      await writeFile(path, good.replace('a11ce', 'ma11ory'));
      const changed = await run('verify', '--key', vkey, '--checkpoint', 'last');
      assert.equal(changed.code, 5);
      assert.match(changed.out, /^audit-.*\.jsonl:\d+: .* not those that were signed/m);
      assert.ok((await readFile(join(folder, 'last'), 'utf8')).startsWith('sluice/gw\n9\n'), 'the last good one stays');
      await writeFile(path, good.replace('"id":"a11ce"', '"id":"\u001b[2J"'));
      assert.ok(!(await run('verify', '--key', vkey)).out.includes('\u001b'));
    } finally {
      await writeFile(path, good);
    }
  });

  test('is 8 where the gateway reported an interruption', async () => {
    const options = {
      directory: join(folder, 'crashed'),
      mode: 'strict',
      gatewayId: 'gw',
      clock: systemClock,
      logger: silentLogger,
    } as const;
    const checkpoint = { everyMs: 60_000, entries: 1_000, keyFile: join(folder, 'audit-key') };
    const killed = await openAuditLog({ ...options, checkpoint });
    killed.append(auditEvent('gateway.stopped', { reason: 'x' }));
    await killed.durable();
    await (await openAuditLog({ ...options, checkpoint })).close();
    const { code, out } = await run('verify', 'crashed', '--key', vkey);
    assert.equal(code, 8, out);
    assert.match(out, /reported by the gateway: the gateway was interrupted behind/);
    await killed.close();
  });

  test('is 1 for what cannot be read and 2 for what makes no sense', async () => {
    for (const [args, code, message] of [
      [['verify', 'nowhere'], 1, /nowhere cannot be read/],
      [['verify', '--key', 'nowhere.vkey'], 1, /nowhere\.vkey cannot be read/],
      [['verify', '--key', vkey.replace('sluice', 'Sluice')], 2, /--key: .*id/],
      [['verify', '--max-age', '10'], 2, /with its unit/],
      [['verify', 'audit', '--proof', 'x', '--key', vkey], 2, /leave the folder out/],
      [['verify', '--proof', 'x'], 2, /name it with --key/],
    ] as const) {
      const result = await run(...args);
      assert.equal(result.code, code, args.join(' '));
      assert.match(result.err, message);
    }
    assert.equal((await run('verify', '--key', vkey, '--max-age', '1h')).code, 0);
  });
});

test('prove makes a file that verify takes, and nothing else', async () => {
  const { out } = await run('query', '--topic', 'payments', '--outcome', 'denied', '-o', 'json');
  const [entry] = (JSON.parse(out) as { entries: readonly { id: string }[] }).entries;
  assert.equal((await run('prove', entry?.id ?? '', '--file', 'p')).code, 0);
  const good = await run('verify', '--proof', 'p', '--key', vkey);
  assert.deepEqual([good.code, /^holds: entry \d of 9 in sluice\/gw/m.test(good.out)], [0, true], good.out);
  await writeFile(join(folder, 'p'), (await readFile(join(folder, 'p'), 'utf8')).replace(/index \d/, 'index 8'));
  const bad = await run('verify', '--proof', 'p', '--key', vkey);
  assert.deepEqual([bad.code, /^does not hold: /m.test(bad.out)], [5, true], bad.out);
  assert.match((await run('prove', 'nobody.1')).err, /no entry nobody\.1/);
});

test('retain says what would go, and removes it behind a tombstone', async () => {
  const name = 'retained';
  const configuration = (more: string): string => `apiVersion: sluice/v1
kind: Gateway
gatewayId: gw
ports:
  - name: orders
    protocol: kafka
    listen: 127.0.0.1:0
    advertise: { host: localhost, ports: 19093-19094, firstNodeId: 0 }
    upstream: { bootstrap: ['localhost:9092'] }
    authentication: { mechanisms: [OAUTHBEARER], allowTokensWithoutTls: true }
identity: { issuers: [{ name: corp, issuer: 'https://idp.example.com', audience: sluice, claims: { id: sub } }] }
policies: ./policies
audit:
  directory: ./${name}
  checkpoint: { key: ./audit-key }
${more}`;
  await mkdir(join(folder, 'policies'), { recursive: true });
  await cp(join(folder, 'audit'), join(folder, name), { recursive: true });
  await writeFile(join(folder, 'none.yaml'), configuration(''));
  assert.match((await run('retain', '--config', 'none.yaml')).err, /Everything is kept/);
  await writeFile(
    join(folder, 'kept.yaml'),
    configuration('  retention: { keep: 2h, maxBytes: 1MB, hold: [tomorrow] }'),
  );
  assert.match((await run('retain', '--dry-run', '--config', 'kept.yaml')).err, /"tomorrow" is no hold/);
  await writeFile(join(folder, 'sluice.yaml'), configuration('  retention: { keep: 1h }'));
  const nothing = await run('retain', '--dry-run');
  assert.deepEqual(
    [nothing.code, nothing.out],
    [0, '0 segments to remove, 0 on hold, 1 kept (' + (await bytesIn(name)) + ' bytes)\n'],
  );
  assert.equal((await run('retain', '--output', 'json')).code, 0);
  assert.equal((await run('verify', name, '--key', vkey)).code, 0);
});

async function bytesIn(name: string): Promise<number> {
  const names = (await readdir(join(folder, name))).filter((each) => each.endsWith('.jsonl'));
  const files = await Promise.all(names.map((each) => readFile(join(folder, name, each))));
  return files.reduce((sum, file) => sum + file.length, 0);
}

test('key prints public keys only, and adds one', async () => {
  const one = await run('key', '--file', 'audit-key');
  assert.deepEqual([one.code, one.out], [0, `${vkey}\n`]);
  const two = await run('key', '--file', 'audit-key', '--rotate');
  assert.equal(two.out.split('\n').length, 3);
  assert.ok(two.out.startsWith(`${vkey}\n`) && !two.out.includes('PRIVATE'));
  assert.equal((await run('key', '--file', 'nowhere')).code, 1);
});
