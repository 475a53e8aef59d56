import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('sluice.ts', import.meta.url));
let folder = '';

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...args],
      { cwd: folder, env: { ...process.env, NO_COLOR: '1' } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err });
      },
    );
  });
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
  assert.equal((await run('init')).code, 0);
});
after(() => rm(folder, { recursive: true, force: true }));

describe('init and check', () => {
  test('what init writes passes check', async () => {
    const { code, out } = await run('check');
    assert.equal(code, 0, out);
    assert.match(out, /^ok: 1 policy document, revision [0-9a-f]{12}$/m);
  });

  test('init overwrites nothing unless told to', async () => {
    const { code, err } = await run('init', '.');
    assert.equal(code, 1);
    assert.match(err, /Nothing was written: sluice\.yaml and policies\/example\.yaml would be overwritten/);
    const forced = await run('init', '--force', '--output', 'json');
    assert.deepEqual([forced.code, JSON.parse(forced.out)], [0, { written: ['sluice.yaml', 'policies/example.yaml'] }]);
  });

  test('check prints problems of both files at their place', async () => {
    await writeFile(join(folder, 'broken.yaml'), 'apiVersion: sluice/v1\nkind: Gateway\nportz: []\n');
    const { code, out, err } = await run('check', '-c', 'broken.yaml');
    assert.equal(code, 1);
    assert.match(out, /^broken\.yaml:3:1: Unknown key "portz"\. Did you mean "ports"\?$/m);
    assert.match(err, /policies were not checked/);

    await run('init', 'other');
    await writeFile(
      join(folder, 'other', 'policies', 'bad.yaml'),
      'apiVersion: sluice/v1\nkind: Policy\nmetadata: { name: x, owner: y }\nspec: { subjects: [{ id: a, issuer: crp }], allow: [] }\n',
    );
    const json = await run('check', '-c', 'other/sluice.yaml', '-o', 'json');
    assert.equal(json.code, 1);
    const report = JSON.parse(json.out) as { ok: boolean; problems: readonly { path: string; line: number }[] };
    assert.equal(report.ok, false);
    assert.ok(
      report.problems.some(({ path, line }) => path === 'other/policies/bad.yaml' && line === 4),
      json.out,
    );
  });

  test('a wrong command line is code 2 and says what was meant', async () => {
    for (const [args, message] of [
      [['chekc'], /Did you mean check/],
      [['check', '--confg', 'x'], /Did you mean --config/],
    ] as const) {
      const { code, err } = await run(...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, message);
    }
  });

  test('help is code 0 and has examples', async () => {
    assert.match((await run('help', 'exit-codes')).out, /^3 +`policy test`: denied/m);
    const { code, out } = await run('policy', 'test', '--help');
    assert.equal(code, 0);
    assert.match(out, /Examples:\n {2}\$ sluice policy test/);
  });
});

describe('policy', () => {
  const alice = ['--principal', 'id=alice,group=payments-eng'];

  test('test: permit is 0, deny is 3, each with the rule that made it', async () => {
    const permit = await run('policy', 'test', ...alice, '--action', 'read', '--topic', 'payments.eu');
    assert.equal(permit.code, 0, permit.err);
    assert.match(permit.out, /^PERMIT .*read topic payments\.eu {2}on port orders$/m);
    assert.match(permit.out, /^rule {6}payments-readers allow\[0\] {2}example\.yaml:\d+$/m);
    const rule = await run('policy', 'test', ...alice, '--action', 'read', '--topic', 'payments.secrets');
    assert.deepEqual([rule.code, /deny\[0\]/.test(rule.out)], [3, true]);
    const nothing = await run(
      'policy',
      'test',
      '--principal',
      'id=bob',
      '--action',
      'read',
      '--topic',
      'payments',
      '-o',
      'json',
    );
    assert.equal(nothing.code, 3);
    const { effect, reason, rule: none } = JSON.parse(nothing.out) as Record<string, unknown>;
    assert.deepEqual([effect, reason, none], ['deny', 'no-matching-rule', null]);
  });

  test('test: what makes no sense is code 2', async () => {
    const { code, err } = await run('policy', 'test', ...alice, '--action', 'raed', '--topic', 'a');
    assert.equal(code, 2);
    assert.match(err, /Did you mean "read"/);
  });

  test('diff: the same is 0, another is 4, broken is 1', async () => {
    assert.equal((await run('policy', 'diff', 'policies', 'policies/example.yaml')).code, 0);
    const text = await readFile(join(folder, 'policies', 'example.yaml'), 'utf8');
    await writeFile(join(folder, 'new.yaml'), text.replace('[describe, read]', '[describe]'));
    const changed = await run('policy', 'diff', 'policies', 'new.yaml');
    assert.equal(changed.code, 4);
    assert.match(changed.out, /^- .*actions: \[ describe, read \]/m);
    assert.match(changed.out, /^\+ .*actions: \[ describe \]/m);
    await writeFile(join(folder, 'bad.yaml'), text.replace('[describe, read]', '[raed]'));
    const broken = await run('policy', 'diff', 'policies', 'bad.yaml');
    assert.equal(broken.code, 1);
    assert.match(broken.err, /^bad\.yaml:\d+:\d+: /m);
  });
});

describe('serve', () => {
  async function freePorts(): Promise<readonly number[]> {
    const servers = await Promise.all(
      [0, 1].map(
        () =>
          new Promise<ReturnType<typeof createServer>>((resolve) => {
            const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
          }),
      ),
    );
    return Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve) => {
            const address = server.address();
            server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
          }),
      ),
    );
  }

  test('runs until SIGTERM through a symbolic link to the launcher, and names a port in use', async () => {
    const [listen = 0, telemetry = 0] = await freePorts();
    const text = await readFile(join(folder, 'sluice.yaml'), 'utf8');
    const config = text
      .replace('127.0.0.1:19092', `127.0.0.1:${listen}`)
      .replace('127.0.0.1:9464', `127.0.0.1:${telemetry}`)
      .replace('19093-19112', '19093-19093');
    await writeFile(join(folder, 'serve.yaml'), config);
    await symlink(fileURLToPath(new URL('../../bin/sluice', import.meta.url)), join(folder, 'sluice'));
    const child = spawn(join(folder, 'sluice'), ['serve', '-c', 'serve.yaml', '-o', 'json'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      child.stderr.resume();
      const first = await new Promise<string>((resolve) =>
        child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
      );
      const started = JSON.parse(first) as { ports: readonly { port: number }[] };
      assert.equal(started.ports[0]?.port, listen);
      assert.equal((await fetch(`http://127.0.0.1:${telemetry}/healthz`)).status, 200);
      await writeFile(
        join(folder, 'second.yaml'),
        config.replace('directory: ./audit', 'directory: ./audit-of-second'),
      );
      const second = await run('serve', '-c', 'second.yaml');
      assert.equal(second.code, 1);
      assert.match(second.err, new RegExp(`127\\.0\\.0\\.1:(${listen}|${telemetry})`));
    } finally {
      child.kill('SIGTERM');
    }
    assert.equal(await ended, 0);
  });
});
