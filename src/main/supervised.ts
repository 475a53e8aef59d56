/**
 * The gateway as a supervisor with worker processes: here are the listening sockets, the policy files, the audit log,
 * the sessions and the address of the metrics; the workers serve clients (docs/adr/2026-11-23-workers.md).
 */
import { readPolicyFiles } from '../config/config.ts';
import type { ConfigProblem, PolicyFile } from '../config/config.ts';
import { SessionRegistry } from '../gate/gate.ts';
import { systemClock } from '../lib/clock.ts';
import type { HostPort, Settings } from '../model/settings.ts';
import type { PolicyBundle } from '../policy/policy.ts';
import { kafkaSockets } from '../ports/kafka/kafka.ts';
import { Front, keepPolicies } from '../process/process.ts';
import type { ListenAt, Started } from '../process/process.ts';
import { createMetrics, gateObserver } from '../telemetry/telemetry.ts';
import type { Metrics } from '../telemetry/telemetry.ts';
import type { Gateway, GatewayParts } from './contract.ts';
import { mergedIssuers, mergedPorts } from './merged-states.ts';
import { openOwnAuditLog } from './own-audit-log.ts';
import { PolicyChecker, policyReports } from './policies.ts';
import type { LoadedPolicies } from './policies.ts';
import { runGateway, version } from './running.ts';
import type { Serving } from './running.ts';
import { policyContext } from './settings-checks.ts';
import { WorkerHub } from './worker-hub.ts';

/** @throws SluiceError of the part that could not start, in a worker too; what was started is left to `started` */
export async function startSupervised(settings: Settings, parts: GatewayParts, started: Started): Promise<Gateway> {
  const { logger, clock = systemClock } = parts;
  const { gatewayId, policyDirectory: directory, workers = 1 } = settings;
  const { windowMs } = settings.audit;
  const metrics = createMetrics({ version: version(), gatewayId });
  const files = await readPolicyFiles(directory);
  const audit = await openOwnAuditLog(settings, { clock, logger }, started);
  const registry = new SessionRegistry({ audit, clock, logger, windowMs, observer: gateObserver(metrics) });
  const logLevel = parts.logLevel ?? settings.telemetry.logLevel;
  const hub = new WorkerHub({ settings, audit, registry, logger, logLevel, clock, workers });
  started.push(async () => {
    await hub.stop();
    registry.closeAll();
  });
  const reports = policyReports({ audit, metrics, logger }, () => {});
  const policies = await keepPolicies<LoadedBundle>(files, {
    directory,
    compile: checker(settings, clock, started),
    onRejected: (problems, inForce) => reports.onRejected(problems, inForce),
    onLoaded(loaded, previous, warnings) {
      // The entry first: entries of operations under it come behind.
      reports.onLoaded(loaded, previous, warnings);
      hub.apply(loaded.bundle);
    },
  });
  started.push(() => policies.close());
  const serving = servingOf(settings, hub, metrics, started);
  metrics.watch({
    audit: () => ({ ...audit.status(), sinks: audit.sinks() }),
    issuers: () => mergedIssuers(hub.states()),
    ports: () => mergedPorts(settings, hub.states()).map(({ name, ...rest }) => ({ port: name, ...rest })),
    workers: () => ({ ...hub.pool.status(), connections: hub.connections() }),
  });
  return runGateway({ settings, audit, metrics, policies, serving, logger }, started);
}

interface LoadedBundle extends LoadedPolicies {
  readonly bundle: PolicyBundle;
}

type CheckedBundle =
  | { readonly ok: true; readonly policies: LoadedBundle; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

function checker(
  settings: Settings,
  clock: { nowMs(): number },
  started: Started,
): (files: readonly PolicyFile[]) => Promise<CheckedBundle> {
  const thread = new PolicyChecker();
  started.push(() => thread.close());
  const context = policyContext(settings);
  return async (files) => {
    const checked = await thread.check({ files, context, nowMs: clock.nowMs() });
    if (!checked.ok) return checked;
    const { bundle, warnings } = checked;
    const names = bundle.documents.flatMap(({ document }) =>
      document.kind === 'Policy' ? [document.metadata.name] : [],
    );
    return { ok: true, policies: { revision: bundle.revision, policies: names, bundle }, warnings };
  };
}

function servingOf(settings: Settings, hub: WorkerHub, metrics: Metrics, started: Started): Serving {
  const front = new Front((socket, index) => hub.pool.take(socket, index));
  started.push(() => front.close());
  const places = settings.ports.flatMap((port) =>
    kafkaSockets(port).map((place): ListenAt & { readonly port: number; readonly name: string } => {
      return { ...place, owner: `Port "${port.name}"`, name: port.name };
    }),
  );
  const bound = new Map<string, HostPort>();
  return {
    async start() {
      await hub.pool.start();
      const ports = await front.open(places);
      places.forEach(({ name, host }, index) => {
        if (!bound.has(name)) bound.set(name, { host, port: ports[index] ?? 0 });
      });
    },
    address: (portName) => bound.get(portName) ?? null,
    state: () => ({
      ports: mergedPorts(settings, hub.states()),
      issuers: mergedIssuers(hub.states()),
      workers: hub.pool.status(),
    }),
    metrics: async () => metrics.render(await hub.measure(), hub.endedCounts),
    inForce: (revision) => hub.inForce(revision),
    restartWorkers: () => hub.pool.roll(),
    async drain() {
      front.close();
      await hub.stop();
    },
  };
}
