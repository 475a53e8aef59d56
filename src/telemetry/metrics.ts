/**
 * Every metric of the gateway. The names are stable: dashboards and alerts are built on them; docs/configuration.md
 * lists them.
 */
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { familiesOf, renderFamilies } from './families.ts';
import type { Family } from './families.ts';
import { Tally, Timing, added } from './tally.ts';
import type { Counted } from './tally.ts';

/** What is read at the moment of a scrape, instead of being kept up to date. */
export interface MetricSources {
  audit(): {
    readonly writable: boolean;
    readonly backlogged: boolean;
    readonly lost: number;
    readonly entries: number;
    /** Places that checkpoints go to. */
    readonly sinks?: readonly {
      readonly sink: string;
      readonly ok: boolean;
      readonly failures: number;
      readonly size: number;
    }[];
  };
  issuers(): readonly {
    readonly issuer: string;
    readonly keys: number;
    readonly keysAgeMs: number | null;
    readonly usable: boolean;
  }[];
  /** Absent where this process serves by itself. */
  readonly workers?: () => {
    readonly wanted: number;
    readonly up: number;
    readonly replaced: number;
    readonly connections: readonly { readonly worker: number; readonly connections: number }[];
  };
  ports(): readonly {
    readonly port: string;
    readonly ready: boolean;
    readonly connections: number;
    readonly brokers: number;
  }[];
}

export interface Metrics {
  readonly connections: Tally;
  readonly disconnections: Tally;
  readonly requests: Tally;
  readonly requestDuration: Timing;
  readonly bytes: Tally;
  readonly upstreamFailures: Tally;
  readonly decisions: Tally;
  readonly authenticationFailures: Tally;
  readonly refusals: Tally;
  readonly sessions: Tally;
  policyLoaded(revision: string, policies: number): void;
  policyRejected(): void;
  /** Names what the scrape reads; until then those metrics are absent. */
  watch(sources: MetricSources): void;
  /** What this process counted and what it is, for another that renders it. */
  snapshot(): Promise<MetricsSnapshot>;
  /**
   * The whole exposition in Prometheus' text form.
   *
   * @param workers what worker processes said, by their names: counts are added, what is about a process is labelled
   * @param ended counts of those that are gone: a counter never goes back
   */
  render(workers?: ReadonlyMap<string, MetricsSnapshot>, ended?: Counts): Promise<string>;
}

/** By the name of the count. Plain values, which pass between processes. */
export type Counts = Readonly<Record<string, Counted>>;

export interface MetricsSnapshot {
  readonly counts: Counts;
  readonly process: readonly Family[];
}

export function addedCounts(all: readonly Counts[]): Counts {
  const names = new Set(all.flatMap((counts) => Object.keys(counts)));
  return Object.fromEntries(Array.from(names, (name) => [name, added(all.map((counts) => counts[name] ?? []))]));
}

export const metricsContentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

function newTallies(): {
  connections: Tally;
  disconnections: Tally;
  requests: Tally;
  requestDuration: Timing;
  bytes: Tally;
  upstreamFailures: Tally;
  decisions: Tally;
  authenticationFailures: Tally;
  refusals: Tally;
  sessions: Tally;
  policyLoads: Tally;
} {
  return {
    connections: new Tally('sluice_connections_opened_total', 'Client connections accepted.', ['port']),
    disconnections: new Tally('sluice_connections_closed_total', 'Client connections closed, by reason.', [
      'port',
      'reason',
    ]),
    requests: new Tally('sluice_requests_total', 'Requests handled: forwarded, answered by the gateway, or refused.', [
      'port',
      'api',
      'outcome',
    ]),
    requestDuration: new Timing(
      'sluice_request_duration_seconds',
      'Time from the whole request to its answer, the upstream included.',
      ['port', 'api'],
    ),
    bytes: new Tally('sluice_bytes_total', 'Bytes by direction: from-client or to-client.', ['port', 'direction']),
    upstreamFailures: new Tally(
      'sluice_upstream_failures_total',
      'Failures to connect or authenticate to the upstream, by reason.',
      ['port', 'reason'],
    ),
    decisions: new Tally('sluice_decisions_total', 'Policy decisions by effect, action and resource type.', [
      'effect',
      'action',
      'resource_type',
    ]),
    authenticationFailures: new Tally('sluice_authentication_failures_total', 'Credentials refused, by code.', [
      'code',
    ]),
    refusals: new Tally(
      'sluice_refusals_total',
      'Requests that no rule could permit, by code: unknown, malformed or forged.',
      ['code'],
    ),
    sessions: new Tally('sluice_sessions_total', 'Sessions opened and closed.', ['port', 'event']),
    policyLoads: new Tally('sluice_policy_loads_total', 'Loads of the policy files by result.', ['result']),
  };
}

/** The library's own choice of 10 ms wakes an idle process a hundred times a second, more than all else it has to do. */
const loopTimedEveryMs = 500;
/** Taken from when one timer went off to when the next did, so that they hold its interval beside the lag. */
const timedLag = /_eventloop_lag_(min|max|mean|p50|p90|p99)_seconds$/;

export function createMetrics(build: { readonly version: string; readonly gatewayId: string }): Metrics {
  const tallies = newTallies();
  const registry = new Registry();
  const processRegistry = new Registry();
  collectDefaultMetrics({
    register: processRegistry,
    prefix: 'sluice_',
    eventLoopMonitoringPrecision: loopTimedEveryMs,
  });
  new Gauge({
    name: 'sluice_build_info',
    help: 'Always 1; the labels say which gateway this is.',
    labelNames: ['version', 'gateway_id'],
    registers: [registry],
  }).set({ version: build.version, gateway_id: build.gatewayId }, 1);
  return {
    ...tallies,
    ...policyMetrics(registry, tallies.policyLoads),
    watch: (sources) => {
      watchSources(registry, sources);
      watchSinks(registry, sources);
    },
    snapshot: async () => ({ counts: countsOf(tallies), process: await processFamilies(processRegistry) }),
    async render(workers = new Map(), ended = {}) {
      const counts = addedCounts([countsOf(tallies), ended, ...Array.from(workers.values(), (one) => one.counts)]);
      const texts = Object.entries(tallies).map(([name, tally]) => tally.render(counts[name] ?? []));
      return (await registry.metrics()) + (await processText(processRegistry, workers)) + texts.join('');
    },
  };
}

function countsOf(tallies: Readonly<Record<string, Tally | Timing>>): Counts {
  return Object.fromEntries(Object.entries(tallies).map(([name, tally]) => [name, tally.counted()]));
}

/** CPU, memory and event loop: of this process alone, or of each process under its name. */
async function processText(registry: Registry, workers: ReadonlyMap<string, MetricsSnapshot>): Promise<string> {
  const own = await processFamilies(registry);
  const processes = new Map<string | null, readonly Family[]>([[workers.size === 0 ? null : 'supervisor', own]]);
  for (const [name, one] of workers) processes.set(name, one.process);
  return renderFamilies(processes, 'worker');
}

async function processFamilies(registry: Registry): Promise<Family[]> {
  const intervalSeconds = loopTimedEveryMs / 1_000;
  return (await familiesOf(registry)).map((family) =>
    timedLag.test(family.name)
      ? { ...family, values: family.values.map((one) => ({ ...one, value: Math.max(0, one.value - intervalSeconds) })) }
      : family,
  );
}

function policyMetrics(registry: Registry, loads: Tally): Pick<Metrics, 'policyLoaded' | 'policyRejected'> {
  const registers = [registry];
  const info = new Gauge({
    name: 'sluice_policy_info',
    help: 'Always 1; the label says which revision is in force.',
    labelNames: ['revision'],
    registers,
  });
  const loadedAt = new Gauge({
    name: 'sluice_policy_loaded_timestamp_seconds',
    help: 'When the revision in force was loaded.',
    registers,
  });
  const documents = new Gauge({ name: 'sluice_policy_documents', help: 'Policy documents in force.', registers });
  const healthy = new Gauge({
    name: 'sluice_policy_last_load_ok',
    help: '1 if the files as they are now are in force, 0 if their last edit was rejected.',
    registers,
  });
  return {
    policyLoaded: (revision, policies) => {
      info.reset();
      info.set({ revision }, 1);
      loadedAt.set(Date.now() / 1_000);
      documents.set(policies);
      healthy.set(1);
      loads.add(1, 'loaded');
    },
    policyRejected: () => {
      healthy.set(0);
      loads.add(1, 'rejected');
    },
  };
}

function gaugeMaker(registry: Registry): MakeGauge {
  return <Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    collect: (gauge: Gauge<Label>) => void,
  ): void => {
    const made: Gauge<Label> = new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect: () => collect(made),
    });
  };
}

/** Places that checkpoints of the audit log go to. */
function watchSinks(registry: Registry, sources: MetricSources): void {
  const perSink = (
    name: string,
    help: string,
    read: (status: NonNullable<ReturnType<MetricSources['audit']>['sinks']>[number]) => number,
  ): void => {
    const made: Gauge<'sink'> = new Gauge({
      name,
      help,
      labelNames: ['sink'],
      registers: [registry],
      collect: () => {
        for (const status of sources.audit().sinks ?? []) made.set({ sink: status.sink }, read(status));
      },
    });
  };
  perSink('sluice_audit_push_ok', '1 if the last checkpoint arrived at this place.', ({ ok }) => (ok ? 1 : 0));
  perSink('sluice_audit_push_failures', 'Attempts to push a checkpoint that failed.', ({ failures }) => failures);
  perSink('sluice_audit_push_entries', 'Entries under the newest checkpoint at this place.', ({ size }) => size);
}

function watchSources(registry: Registry, sources: MetricSources): void {
  const gauge = gaugeMaker(registry);
  gauge('sluice_audit_writable', '1 if the audit log can be written.', [], (made) =>
    made.set(sources.audit().writable ? 1 : 0),
  );
  gauge('sluice_audit_backlogged', '1 if more entries wait for the disk than the gateway wants to hold.', [], (made) =>
    made.set(sources.audit().backlogged ? 1 : 0),
  );
  gauge('sluice_audit_entries', 'Audit entries appended since the start.', [], (made) =>
    made.set(sources.audit().entries),
  );
  gauge('sluice_audit_entries_lost', 'Audit entries lost since the start; only in mode "available".', [], (made) =>
    made.set(sources.audit().lost),
  );
  const perIssuer = (
    name: string,
    help: string,
    read: (status: ReturnType<MetricSources['issuers']>[number]) => number | null,
  ): void =>
    gauge(name, help, ['issuer'], (made) => {
      made.reset();
      for (const status of sources.issuers()) {
        const value = read(status);
        if (value !== null) made.set({ issuer: status.issuer }, value);
      }
    });
  perIssuer('sluice_issuer_usable', '1 if tokens of this issuer can be verified now.', (status) =>
    status.usable ? 1 : 0,
  );
  perIssuer('sluice_issuer_keys', 'Public keys known of this issuer.', (status) => status.keys);
  perIssuer('sluice_issuer_keys_age_seconds', 'Age of the keys of this issuer.', (status) =>
    status.keysAgeMs === null ? null : status.keysAgeMs / 1_000,
  );
  const perPort = (
    name: string,
    help: string,
    read: (status: ReturnType<MetricSources['ports']>[number]) => number,
  ): void =>
    gauge(name, help, ['port'], (made) => {
      for (const status of sources.ports()) made.set({ port: status.port }, read(status));
    });
  perPort('sluice_port_ready', '1 if the port is bound and its upstream reachable.', (status) =>
    status.ready ? 1 : 0,
  );
  perPort('sluice_connections', 'Client connections open now.', (status) => status.connections);
  perPort('sluice_upstream_brokers', 'Brokers known of the upstream.', (status) => status.brokers);
  if (sources.workers !== undefined) watchWorkers(gauge, sources.workers);
}

type MakeGauge = <Label extends string>(
  name: string,
  help: string,
  labelNames: Label[],
  collect: (gauge: Gauge<Label>) => void,
) => void;

function watchWorkers(gauge: MakeGauge, workers: NonNullable<MetricSources['workers']>): void {
  gauge('sluice_workers_wanted', 'Worker processes that there should be.', [], (made) => made.set(workers().wanted));
  gauge('sluice_workers_up', 'Worker processes that take connections.', [], (made) => made.set(workers().up));
  gauge('sluice_workers_replaced', 'Worker processes that died and were replaced since the start.', [], (made) =>
    made.set(workers().replaced),
  );
  gauge('sluice_worker_connections', 'Client connections of each worker.', ['worker'], (made) => {
    made.reset();
    for (const { worker, connections } of workers().connections) made.set({ worker: String(worker) }, connections);
  });
}
