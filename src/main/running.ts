/** A gateway in either form, one process or a supervisor with workers: what is started around what serves, and stopped. */
import { readFileSync } from 'node:fs';
import { auditEvent } from '../audit/audit.ts';
import type { OwnedAuditLog } from '../audit/audit.ts';
import { SluiceError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { HostPort, Settings } from '../model/settings.ts';
import type { PolicyKeeper, Started } from '../process/process.ts';
import { gatewayReadiness, startTelemetryListener } from '../telemetry/telemetry.ts';
import type { GatewayState, Metrics, Readiness, TelemetryListener } from '../telemetry/telemetry.ts';
import type { Gateway } from './contract.ts';
import type { LoadedPolicies } from './policies.ts';

/** What serves clients. */
export interface Serving {
  /** Takes connections once it resolves. What it started is undone by `Started`. */
  start(): Promise<void>;
  /** Where clients of a port bootstrap, as bound; `null` where there is no such port. */
  address(portName: string): HostPort | null;
  state(): Pick<GatewayState, 'ports' | 'issuers' | 'workers'>;
  metrics(): Promise<string>;
  /** Resolves with whether every process has taken up the revision. */
  inForce(revision: string): Promise<boolean>;
  restartWorkers(): Promise<void>;
  /** No new connections; resolves when those there are have been answered, or `drainTimeoutMs` are over. */
  drain(): Promise<void>;
}

export interface GatewayPieces {
  readonly settings: Settings;
  readonly audit: OwnedAuditLog;
  readonly metrics: Metrics;
  readonly policies: PolicyKeeper<LoadedPolicies>;
  readonly serving: Serving;
  readonly logger: Logger;
}

export async function runGateway(pieces: GatewayPieces, started: Started): Promise<Gateway> {
  const { settings, audit, policies, serving, logger } = pieces;
  const phase: Phase = { starting: true, draining: false };
  const { listen } = settings.telemetry;
  const pages = { metrics: () => serving.metrics(), readiness: () => readinessOf(pieces, phase) };
  const telemetry = listen === undefined ? null : await startTelemetryListener(listen, pages);
  started.push(() => telemetry?.close());
  await serving.start();
  const { revision } = policies.current();
  const ports = settings.ports.map(({ name }) => name);
  const entry = { version: version(), audit_mode: settings.audit.mode, ports, policy_revision: revision };
  audit.append(auditEvent('gateway.started', entry));
  await audit.durable();
  logger.info({ gateway: settings.gatewayId, ports: ports.join(' '), revision }, 'the gateway is up');
  phase.starting = false;
  return gatewayOf(pieces, phase, telemetry, started);
}

interface Phase {
  starting: boolean;
  draining: boolean;
}

function gatewayOf(
  pieces: GatewayPieces,
  phase: Phase,
  telemetry: TelemetryListener | null,
  started: Started,
): Gateway {
  const { audit, policies, serving, logger } = pieces;
  let stopping: Promise<void> | null = null;
  const stop = async (reason: string): Promise<void> => {
    phase.draining = true;
    await serving.drain();
    audit.append(auditEvent('gateway.stopped', { reason }));
    await started.undo();
    logger.info({ reason }, 'the gateway has stopped');
  };
  return {
    get policyRevision() {
      return policies.current().revision;
    },
    address(portName) {
      const address = serving.address(portName);
      if (address === null) throw new SluiceError('unknown-port', `There is no port "${portName}".`);
      return address;
    },
    telemetryAddress: () => telemetry?.address() ?? null,
    readiness: () => readinessOf(pieces, phase),
    reloadPolicies: async () => (await policies.reload()) && serving.inForce(policies.current().revision),
    restartWorkers: () => serving.restartWorkers(),
    stop: (reason = 'asked to') => (stopping ??= stop(reason)),
  };
}

function readinessOf({ settings, audit, policies, serving }: GatewayPieces, phase: Phase): Readiness {
  const { writable, lost } = audit.status();
  const failing = audit.sinks().flatMap(({ sink, ok }) => (ok ? [] : [sink]));
  return gatewayReadiness({
    ...phase,
    ...serving.state(),
    policy: { revision: policies.current().revision, lastLoadOk: policies.lastLoadOk() },
    audit: { writable, lost, mode: settings.audit.mode, failing },
  });
}

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
