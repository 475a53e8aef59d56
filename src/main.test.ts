import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { silentLogger } from './lib/logger.ts';
import { PolicyLoadError, startGateway } from './main.ts';
import type { Gateway } from './main.ts';
import type { Settings } from './model/settings.ts';

let folder = '';
let gateway: Gateway | null = null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-main-'));
  await mkdir(join(folder, 'policies'));
  await writePolicy('[read]');
});
afterEach(async () => {
  await gateway?.stop();
  gateway = null;
  await rm(folder, { recursive: true, force: true });
});

function writePolicy(actions: string): Promise<void> {
  return writeFile(
    join(folder, 'policies', 'a.yaml'),
    `apiVersion: sluice/v1
kind: Policy
metadata: { name: readers, owner: data }
spec:
  subjects: [{ id: alice, issuer: corp }]
  allow: [{ port: orders, topics: [payments], actions: ${actions} }]
`,
  );
}

/** A gateway whose broker and issuer are away: it starts all the same, and says that it is not ready. */
function settings(change: Partial<Settings> = {}): Settings {
  const checkpoint = { everyMs: 10_000, entries: 1_000, keyFile: join(folder, 'audit-key') };
  return {
    gatewayId: 'gw-test',
    ports: [
      {
        name: 'orders',
        protocol: 'kafka',
        listen: { host: '127.0.0.1', port: 0, proxyProtocol: 'off' },
        advertise: { mode: 'ports', host: 'localhost', firstPort: 1, firstNodeId: 0, count: 0 },
        upstream: { bootstrap: [{ host: '127.0.0.1', port: 1 }] },
        authentication: {
          mechanisms: ['PLAIN'],
          allowTokensWithoutTls: true,
          maxSessionLifetimeMs: 60_000,
          certificates: [],
        },
        idleTimeoutMs: 600_000,
      },
    ],
    issuers: [
      {
        name: 'corp',
        issuer: 'http://127.0.0.1:1',
        audiences: ['sluice'],
        algorithms: ['RS256'],
        clockLeewayMs: 0,
        keysMaxAgeMs: 60_000,
        mapping: { id: 'sub', kind: { value: 'user' } },
        requiredClaims: {},
      },
    ],
    policyDirectory: join(folder, 'policies'),
    audit: { directory: join(folder, 'audit'), mode: 'strict', windowMs: 10_000, checkpoint },
    telemetry: { listen: { host: '127.0.0.1', port: 0 }, logLevel: 'error' },
    drainTimeoutMs: 100,
    ...change,
  };
}

interface Line {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

async function auditLines(): Promise<readonly Line[]> {
  const names = (await readdir(join(folder, 'audit'))).filter((name) => name.endsWith('.jsonl')).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, 'audit', name), 'utf8')));
  return texts
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

const codes = (lines: readonly Line[]): readonly string[] =>
  lines.map(({ type }) => type.replace('dev.sluice.audit.', ''));

async function until(condition: () => boolean, withinMs: number): Promise<number> {
  const start = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - start < withinMs, `not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - start;
}

describe('a gateway', () => {
  test('starts without broker or issuer, says so, and leaves a closed log', async () => {
    gateway = await startGateway(settings(), { logger: silentLogger });
    assert.match(gateway.policyRevision, /^[0-9a-f]{64}$/);
    assert.ok(gateway.address('orders').port > 0);
    assert.throws(() => gateway?.address('other'), { code: 'unknown-port' });
    const telemetry = gateway.telemetryAddress();
    assert.ok(telemetry !== null);
    const ready = await fetch(`http://127.0.0.1:${telemetry.port}/readyz`);
    assert.equal(ready.status, 503);
    const { checks } = (await ready.json()) as { checks: readonly { name: string; ok: boolean }[] };
    assert.deepEqual(
      checks.filter(({ ok }) => !ok).map(({ name }) => name),
      ['port/orders'],
    );
    const metrics = await (await fetch(`http://127.0.0.1:${telemetry.port}/metrics`)).text();
    assert.ok(metrics.includes(`sluice_policy_info{revision="${gateway.policyRevision}"} 1\n`));
    assert.match(metrics, /^sluice_port_ready\{port="orders"\} 0$/m);

    await Promise.all([gateway.stop('test over'), gateway.stop()]);
    const lines = await auditLines();
    assert.deepEqual(codes(lines), ['log.opened', 'policy.loaded', 'gateway.started', 'gateway.stopped', 'log.closed']);
    assert.equal(lines[3]?.data['reason'], 'test over');
    await assert.rejects(fetch(`http://127.0.0.1:${telemetry.port}/healthz`));
  });

  test('closes a connection on which nothing comes for a while, and none that speaks now and then', async () => {
    const [port] = settings().ports;
    assert.ok(port !== undefined);
    gateway = await startGateway(settings({ ports: [{ ...port, idleTimeoutMs: 500 }] }), { logger: silentLogger });
    const client = connect(gateway.address('orders'));
    let closedAtMs = Number.POSITIVE_INFINITY;
    client.once('close', () => (closedAtMs = performance.now()));
    // A request of 100 bytes that never comes whole.
    client.write(Buffer.from([0, 0, 0, 100]));
    let spokeAtMs = 0;
    for (let spoken = 0; spoken < 12; spoken += 1) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      assert.equal(closedAtMs, Number.POSITIVE_INFINITY, `closed after ${spoken} words`);
      client.write(Buffer.from([0]));
      spokeAtMs = performance.now();
    }
    await until(() => closedAtMs < Number.POSITIVE_INFINITY, 5_000);
    assert.ok(closedAtMs - spokeAtMs >= 450, `closed ${closedAtMs - spokeAtMs} ms after the last word`);
  });

  test('takes a policy edit within a second, and keeps the last good revision through a broken one', async () => {
    gateway = await startGateway(settings(), { logger: silentLogger });
    const running = gateway;
    const first = running.policyRevision;
    await writePolicy('[read, write]');
    const tookMs = await until(() => running.policyRevision !== first, 3_000);
    const second = running.policyRevision;
    await writePolicy('[raed]');
    assert.equal(await running.reloadPolicies(), false);
    assert.equal(running.policyRevision, second);
    await writePolicy('[read]');
    assert.equal(await running.reloadPolicies(), true);
    assert.equal(running.policyRevision, first, 'the same documents are the same revision');
    await running.stop();
    const lines = await auditLines();
    const rejected = lines.find(({ type }) => type.endsWith('policy.rejected'));
    assert.equal(rejected?.data['revision_in_force'], second);
    assert.ok(rejected !== undefined);
    const [problem] = rejected.data['problems'] as readonly { path: string; line: number; message: string }[];
    assert.deepEqual([problem?.path, problem?.line], ['a.yaml', 6]);
    assert.match(problem?.message ?? '', /Did you mean read/);
    const loaded = lines
      .filter(({ type }) => type.endsWith('policy.loaded'))
      .map(({ data }) => [data['previous_revision'], data['revision']]);
    assert.deepEqual(loaded.slice(0, 2), [
      ['none', first],
      [first, second],
    ]);
    assert.ok(tookMs < 1_000, `the edit was live after ${Math.round(tookMs)} ms`);
  });
});

describe('a gateway does not start', () => {
  const rejected = (change: Partial<Settings>): Promise<unknown> =>
    startGateway(settings(change), { logger: silentLogger }).then(
      (started) => started.stop().then(() => assert.fail('it started')),
      (error: unknown) => error,
    );

  test('on broken policies', async () => {
    await writePolicy('[raed]');
    const error = await rejected({});
    assert.ok(error instanceof PolicyLoadError);
    assert.equal(error.problems[0]?.path, 'a.yaml');
  });

  test('without its policy folder', async () => {
    assert.match(String(await rejected({ policyDirectory: join(folder, 'nope') })), /policy files cannot be read/);
  });

  test('on an audit folder that cannot be made, whatever the mode', async () => {
    await writeFile(join(folder, 'file'), '');
    const { checkpoint } = settings().audit;
    const audit = {
      directory: join(folder, 'file', 'audit'),
      mode: 'available',
      windowMs: 10_000,
      checkpoint,
    } as const;
    assert.match(String(await rejected({ audit })), /audit folder .* cannot be used/);
  });

  test('on a port in use, which it names; what had started is let go', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const address = holder.address();
    assert.ok(typeof address === 'object' && address !== null);
    const [port] = settings().ports;
    assert.ok(port !== undefined);
    const error = await rejected({ ports: [{ ...port, listen: { ...port.listen, port: address.port } }] });
    assert.match(String(error), new RegExp(`"orders" cannot listen on 127\\.0\\.0\\.1:${address.port}`));
    assert.equal(codes(await auditLines()).at(-1), 'log.closed', 'the log is closed properly');
    holder.close();
  });
});
