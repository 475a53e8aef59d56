import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gatewayReadiness } from './health.ts';
import type { GatewayState } from './health.ts';
import { startTelemetryListener } from './listener.ts';
import { createLogger } from './logger.ts';
import type { MetricsSnapshot } from './metrics.ts';
import { createMetrics } from './metrics.ts';
import { gateObserver, kafkaObserver } from './observers.ts';
import { Tally, Timing } from './tally.ts';

describe('counters of the data path', () => {
  test('count per label set and escape what a label holds', () => {
    const tally = new Tally('x_total', 'Help.', ['port', 'reason']);
    tally.add(1, 'orders', 'idle');
    tally.add(2, 'orders', 'idle');
    tally.add(1, 'orders', 'a "quoted"\nline\\');
    assert.equal(
      tally.render(),
      '# HELP x_total Help.\n# TYPE x_total counter\nx_total{port="orders",reason="idle"} 3\nx_total{port="orders",reason="a \\"quoted\\"\\nline\\\\"} 1\n',
    );
  });

  test('never grow beyond their bound, whatever names come', () => {
    const tally = new Tally('x_total', 'Help.', ['reason']);
    for (let i = 0; i < 10_000; i++) tally.add(1, `reason ${i}`);
    const lines = tally.render().split('\n');
    assert.ok(lines.length < 2_010, String(lines.length));
    assert.ok(lines.includes('x_total{reason="other"} 8000'));
  });

  test('buckets are cumulative and the bound belongs to its bucket', () => {
    const timing = new Timing('t_seconds', 'Help.', ['api']);
    for (const ms of [0.5, 1, 1.01, 30_000, 60_000]) timing.observe(ms, 1, 'Fetch');
    const text = timing.render();
    for (const line of [
      't_seconds_bucket{api="Fetch",le="0.0005"} 1',
      't_seconds_bucket{api="Fetch",le="0.001"} 2',
      't_seconds_bucket{api="Fetch",le="0.0025"} 3',
      't_seconds_bucket{api="Fetch",le="30"} 4',
      't_seconds_bucket{api="Fetch",le="+Inf"} 5',
      't_seconds_count{api="Fetch"} 5',
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line} not in\n${text}`);
    }
  });
});

test('metrics carry what the observers and the sources tell', async () => {
  const metrics = createMetrics({ version: '1.2.3', gatewayId: 'gw-1' });
  const kafka = kafkaObserver(metrics);
  kafka.connectionOpened('orders');
  kafka.requestHandled('orders', 'Fetch', 17, 'forwarded', 3);
  kafka.bytes('orders', 'to-client', 4_096);
  kafka.connectionClosed('orders', 'authentication failed: expired');
  kafka.upstreamFailed('orders', 'Broker kafka-1:9092 cannot be used: connect ECONNREFUSED 10.0.0.1:9092.');
  kafka.upstreamFailed('orders', 'Broker kafka-2:9092 cannot be used: unable to get local issuer certificate.');
  const gate = gateObserver(metrics);
  gate.decision('deny', 'read', 'topic');
  gate.authenticationFailed('expired');
  metrics.policyLoaded('abc', 2);
  metrics.policyRejected();
  metrics.watch({
    audit: () => ({ writable: true, backlogged: false, lost: 3, entries: 9 }),
    issuers: () => [{ issuer: 'corp', keys: 2, keysAgeMs: 1_500, usable: true }],
    ports: () => [{ port: 'orders', ready: true, connections: 7, brokers: 3 }],
    workers: () => ({ wanted: 2, up: 1, replaced: 4, connections: [{ worker: 5, connections: 6 }] }),
  });
  const text = await metrics.render();
  for (const line of [
    'sluice_build_info{version="1.2.3",gateway_id="gw-1"} 1',
    'sluice_connections_opened_total{port="orders"} 1',
    'sluice_requests_total{port="orders",api="Fetch",outcome="forwarded"} 1',
    'sluice_bytes_total{port="orders",direction="to-client"} 4096',
    'sluice_connections_closed_total{port="orders",reason="authentication failed"} 1',
    'sluice_upstream_failures_total{port="orders",reason="refused"} 1',
    'sluice_upstream_failures_total{port="orders",reason="tls"} 1',
    'sluice_decisions_total{effect="deny",action="read",resource_type="topic"} 1',
    'sluice_authentication_failures_total{code="expired"} 1',
    'sluice_policy_info{revision="abc"} 1',
    'sluice_policy_last_load_ok 0',
    'sluice_policy_loads_total{result="rejected"} 1',
    'sluice_audit_entries_lost 3',
    'sluice_issuer_keys_age_seconds{issuer="corp"} 1.5',
    'sluice_connections{port="orders"} 7',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is not in the exposition`);
  }
  assert.match(text, /^sluice_process_cpu_seconds_total /m);
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
    'each metric is described once',
  );
  const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| `(sluice_\w+)`/gm)].map(([, name]) => name ?? '');
  const own = names.filter((name) => !/^sluice_(process|nodejs)_/.test(name));
  assert.deepEqual(listed.toSorted(), own.toSorted(), 'docs/configuration.md lists every metric');
});

const state: GatewayState = {
  draining: false,
  policy: { revision: 'abc', lastLoadOk: true },
  audit: { writable: true, lost: 0, mode: 'strict' },
  ports: [{ name: 'orders', ready: true, detail: '3 brokers' }],
  issuers: [{ issuer: 'corp', usable: false, keys: 0 }],
};

describe('readiness', () => {
  const failing = (change: Partial<GatewayState>): readonly string[] =>
    gatewayReadiness({ ...state, ...change }).checks.flatMap(({ ok, name }) => (ok ? [] : [name]));

  test('holds while the parts work, an issuer that is away included', () => assert.deepEqual(failing({}), []));
  test('begins when everything is up', () => assert.deepEqual(failing({ starting: true }), ['process']));
  test('ends with a drain', () => assert.deepEqual(failing({ draining: true }), ['process']));
  test('ends with an upstream that cannot be reached', () =>
    assert.deepEqual(failing({ ports: [{ name: 'orders', ready: false, detail: 'x' }] }), ['port/orders']));
  test('ends with a log that cannot be written, unless that was asked for', () => {
    assert.deepEqual(failing({ audit: { writable: false, lost: 0, mode: 'strict' } }), ['audit']);
    assert.deepEqual(failing({ audit: { writable: false, lost: 5, mode: 'available' } }), []);
  });
});

describe('the telemetry listener', () => {
  test('serves metrics and health, and says why it is not ready', async () => {
    let ready = true;
    const listener = await startTelemetryListener(
      { host: '127.0.0.1', port: 0 },
      {
        metrics: () => Promise.resolve('a 1\n'),
        readiness: () => ({ ready, checks: [{ name: 'policy', ok: ready, detail: 'why' }] }),
      },
    );
    const { port } = listener.address();
    const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, init);
    try {
      const metrics = await get('/metrics');
      assert.equal(metrics.status, 200);
      assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      assert.equal(await metrics.text(), 'a 1\n');
      assert.equal((await get('/healthz')).status, 200);
      assert.equal((await get('/readyz')).status, 200);
      ready = false;
      const unready = await get('/readyz');
      assert.equal(unready.status, 503);
      assert.deepEqual(await unready.json(), { ready: false, checks: [{ name: 'policy', ok: false, detail: 'why' }] });
      assert.equal((await get('/healthz')).status, 200, 'alive is not the same as ready');
      assert.equal((await get('/else')).status, 404);
      assert.equal((await get('/metrics', { method: 'POST' })).status, 405);
      assert.equal(await (await get('/metrics', { method: 'HEAD' })).text(), '');
    } finally {
      await listener.close();
    }
    await assert.rejects(get('/healthz'));
  });

  test('says which address is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const address = holder.address();
    assert.ok(typeof address === 'object' && address !== null);
    const pages = { metrics: () => Promise.resolve(''), readiness: () => ({ ready: true, checks: [] }) };
    await assert.rejects(startTelemetryListener({ host: '127.0.0.1', port: address.port }, pages), {
      code: 'telemetry-unbound',
      message: new RegExp(`127\\.0\\.0\\.1:${address.port}: another process`),
    });
    holder.close();
  });
});

describe('logs', () => {
  const logged = (
    format: 'json' | 'text',
    level: 'debug' | 'info',
  ): { lines: string[]; log: ReturnType<typeof createLogger> } => {
    const lines: string[] = [];
    return { lines, log: createLogger({ level, format, destination: { write: (line) => lines.push(line) } }) };
  };

  test('are JSON lines with time, level and fields', () => {
    const { lines, log } = logged('json', 'info');
    log.debug({}, 'not said');
    log.warn({ port: 'orders', attempts: 3 }, 'slow');
    assert.equal(lines.length, 1);
    const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.deepEqual(rest, { level: 'warn', port: 'orders', attempts: 3, msg: 'slow' });
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test('for people are one line each, whatever a client put into a field', () => {
    const { lines, log } = logged('text', 'info');
    log.error({ client: 'a\nFAKE LINE\u001b[2J', port: 'orders' }, 'refused');
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /^[\d:.]{12} ERROR refused {2}client="a FAKE LINE" {2}port=orders\n$/);
  });
});

test('lag of the event loop is what a turn came late, without the interval that it is timed at', async () => {
  const metrics = createMetrics({ version: '1.2.3', gatewayId: 'gw-1' });
  const seconds = async (name: string): Promise<number> => {
    const text = await metrics.render();
    return Number(new RegExp(`^sluice_nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(text)?.[1]);
  };
  await sleep(1_200);
  assert.ok((await seconds('min')) < 0.45, 'an idle loop is not late by the interval');
  // A scrape begins anew, and the first interval after it only says when the next begins.
  await sleep(600);
  const until = performance.now() + 900;
  while (performance.now() < until);
  await sleep(50);
  assert.ok((await seconds('max')) > 0.3, 'a turn of 900 ms is seen');
});

test('metrics of several processes are one: counts added, also of those that are gone, processes told apart', async () => {
  const [supervisor, worker] = [1, 2].map(() => createMetrics({ version: '1.2.3', gatewayId: 'gw-1' }));
  if (supervisor === undefined || worker === undefined) throw new Error('there are two');
  worker.bytes.add(5, 'orders', 'to-client');
  worker.requestDuration.observe(3, 1, 'orders', 'Fetch');
  const snapshot = JSON.parse(JSON.stringify(await worker.snapshot())) as MetricsSnapshot;
  const text = await supervisor.render(
    new Map([
      ['1', snapshot],
      ['2', snapshot],
    ]),
    snapshot.counts,
  );
  for (const line of [
    'sluice_bytes_total{port="orders",direction="to-client"} 15',
    'sluice_request_duration_seconds_count{port="orders",api="Fetch"} 3',
    'sluice_request_duration_seconds_bucket{port="orders",api="Fetch",le="0.005"} 3',
  ])
    assert.ok(text.includes(`${line}\n`), line);
  for (const name of ['supervisor', '1', '2'])
    assert.match(text, new RegExp(`^sluice_process_resident_memory_bytes\\{worker="${name}"\\} \\d+$`, 'm'));
  const types = text.split('\n').filter((line) => line.startsWith('# TYPE'));
  assert.equal(new Set(types).size, types.length, 'each metric is introduced once');
});
