/** The composition root: the only file that sees every part, and puts them together. */
import { readFileSync } from 'node:fs';
import { auditEvent, openAuditLog } from './audit/audit.ts';
import type { AuditLog } from './audit/audit.ts';
import { readPolicyFiles } from './config/config.ts';
import type { ConfigProblem, PlacedProblem, SettingsCheck } from './config/config.ts';
import { createGate, recordingEntries } from './gate/gate.ts';
import { checkCertificateMappings, checkIssuers, createTokenVerifier } from './identity/identity.ts';
import type { TokenVerifier } from './identity/identity.ts';
import { systemClock } from './lib/clock.ts';
import type { Clock } from './lib/clock.ts';
import { SluiceError, messageOf } from './lib/errors.ts';
import type { Logger } from './lib/logger.ts';
import type { HostPort, Settings } from './model/settings.ts';
import { compilePolicies } from './policy/policy.ts';
import type { PolicyContext, PolicySet } from './policy/policy.ts';
import { createKafkaPort } from './ports/kafka/kafka.ts';
import type { KafkaPort } from './ports/kafka/kafka.ts';
import { openRecordings } from './recording/recording.ts';
import type { RunningRecordings } from './recording/recording.ts';
import { PolicyLoadError, Started, keepPolicies, superviseGateway } from './process/process.ts';
import type { PolicyKeeper } from './process/process.ts';
import {
  createLogger,
  createMetrics,
  gateObserver,
  gatewayReadiness,
  kafkaObserver,
  startTelemetryListener,
} from './telemetry/telemetry.ts';
import type { LogFormat, LogLevel, Metrics, Readiness, TelemetryListener } from './telemetry/telemetry.ts';

export { PolicyLoadError };
export type { LogFormat, LogLevel };

export interface Gateway {
  readonly policyRevision: string;
  /** Where clients of a port bootstrap, as bound. @throws SluiceError `unknown-port` */
  address(portName: string): HostPort;
  /** `null` where telemetry has no listener. */
  telemetryAddress(): HostPort | null;
  readiness(): Readiness;
  /** Reads the policy files now. @returns whether they are in force; what is wrong with them is logged and in the audit log */
  reloadPolicies(): Promise<boolean>;
  /** Takes no new connections, lets requests in flight finish for `drainTimeoutMs` at the most, closes the audit log. Once. */
  stop(reason?: string): Promise<void>;
}

export interface GatewayParts {
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** What policies are held against. */
export function policyContext(settings: Settings): PolicyContext {
  const ports = settings.ports.map(({ name, protocol }) => ({ name, protocol }));
  const issuers = settings.issuers.map(({ name, issuer, requiredClaims, mapping }) => ({
    name,
    issuer,
    requiredClaims,
    mapsGroups: mapping.groups !== undefined,
    ...('value' in mapping.kind && { kinds: [mapping.kind.value] }),
  }));
  return { ports, issuers, recording: settings.recording !== undefined };
}

/** What the identity part finds wrong in a configuration, each at its place. */
export const settingsChecks: readonly SettingsCheck[] = [
  (settings) => {
    const single = settings.issuers.flatMap((issuer, index) =>
      checkIssuers([issuer]).map((message) => ({ at: ['identity', 'issuers', index], message: sentence(message) })),
    );
    const known = new Set(single.map(({ message }) => message));
    const together = checkIssuers(settings.issuers)
      .map(sentence)
      .filter((message) => !known.has(message));
    const certificates = settings.ports.flatMap((port, portIndex) =>
      port.authentication.certificates.flatMap((mapping, index) =>
        checkCertificateMappings([mapping]).map((message): PlacedProblem => {
          return {
            at: ['ports', portIndex, 'authentication', 'certificates', index],
            message: sentence(message.replace(/^certificate rule 1: /, '')),
          };
        }),
      ),
    );
    return {
      problems: [...single, ...together.map((message) => ({ at: ['identity', 'issuers'], message })), ...certificates],
      warnings: [],
    };
  },
];

/**
 * Starts a gateway: the audit log, the policies, the identities, the gate, every port, the telemetry listener. What
 * was started is stopped again where a later part cannot start.
 *
 * @throws SluiceError of the part that could not start; `PolicyLoadError` with the problems of the policies
 */
export async function startGateway(settings: Settings, parts: GatewayParts): Promise<Gateway> {
  const started = new Started(parts.logger);
  try {
    return await compose(settings, parts, started);
  } catch (error) {
    await started.undo();
    throw error;
  }
}

/** What `sluice serve` says beside the settings. */
export interface ServeOptions {
  readonly logFormat: LogFormat;
  /** Instead of the settings' own. */
  readonly logLevel?: LogLevel | undefined;
  /** Findings that did not keep the configuration from loading. */
  readonly warnings: readonly ConfigProblem[];
  readonly onStarted: (gateway: Gateway) => void;
}

/** Runs a gateway as this process: until a signal stops it. @returns the exit code @throws as `startGateway` */
export async function serveGateway(settings: Settings, options: ServeOptions): Promise<number> {
  const logger = createLogger({ level: options.logLevel ?? settings.telemetry.logLevel, format: options.logFormat });
  for (const warning of options.warnings) logger.warn({ place: placeOf(warning) }, warning.message);
  const gateway = await startGateway(settings, { logger });
  options.onStarted(gateway);
  return superviseGateway(gateway, logger);
}

async function compose(settings: Settings, parts: GatewayParts, started: Started): Promise<Gateway> {
  const metrics = createMetrics({ version: version(), gatewayId: settings.gatewayId });
  const state = await build(settings, parts, metrics, started);
  const { audit, policies, verifier, ports } = state;
  const { listen } = settings.telemetry;
  const pages = { metrics: () => metrics.render(), readiness: () => readinessOf(state) };
  const telemetry = listen === undefined ? null : await startTelemetryListener(listen, pages);
  started.push(() => telemetry?.close());
  await startPorts(ports, started);
  void verifier.start();
  const { revision } = policies.current();
  const names = ports.map((port) => port.name);
  const entry = { version: version(), audit_mode: settings.audit.mode, ports: names, policy_revision: revision };
  audit.append(auditEvent('gateway.started', entry));
  await audit.durable();
  parts.logger.info({ gateway: settings.gatewayId, ports: names.join(' '), revision }, 'the gateway is up');
  state.starting = false;
  return gatewayOf(state, telemetry, started, parts.logger);
}

/** Everything but the listeners, in the order in which the parts need each other. */
async function build(
  settings: Settings,
  { logger, clock = systemClock }: GatewayParts,
  metrics: Metrics,
  started: Started,
): Promise<Running> {
  const { gatewayId, policyDirectory: directory } = settings;
  const { mode, windowMs } = settings.audit;
  const files = await readPolicyFiles(directory);
  const audit = await openAuditLog({ ...settings.audit, gatewayId, clock, logger });
  started.push(() => audit.close());
  const followers: (() => void)[] = [];
  const policies = keepPolicies(files, {
    directory,
    compile: (read) => compilePolicies(read, policyContext(settings), clock.nowMs()),
    ...policyReports({ audit, metrics, logger }, () => followers.forEach((follow) => follow())),
  });
  started.push(() => policies.close());
  const verifier = createTokenVerifier(settings.issuers, { clock, logger });
  started.push(() => verifier.close());
  const current = (): PolicySet => policies.current();
  const recordings = recordingsOf(settings, audit, { logger, clock });
  if (recordings !== null) started.push(() => recordings.close());
  const gate = createGate({
    policies: current,
    audit,
    mode,
    windowMs,
    clock,
    logger,
    observer: gateObserver(metrics),
    ...(recordings !== null && { recordings }),
  });
  followers.push(() => gate.policyChanged());
  started.push(() => gate.close());
  const observer = kafkaObserver(metrics);
  const ports = settings.ports.map((port) => createKafkaPort(port, { gate, verifier, logger, observer, clock }));
  metrics.watch({
    audit: () => audit.status(),
    issuers: () => verifier.status(),
    ports: () => ports.map((port) => ({ port: port.name, ...port.status() })),
  });
  return { settings, audit, policies, verifier, ports, starting: true, draining: false };
}

function recordingsOf(
  { recording, gatewayId }: Settings,
  audit: AuditLog,
  { logger, clock }: Required<GatewayParts>,
): RunningRecordings | null {
  if (recording === undefined) return null;
  return openRecordings({ settings: recording, gatewayId, clock, logger, events: recordingEntries(audit) });
}

async function startPorts(ports: readonly KafkaPort[], started: Started): Promise<void> {
  for (const port of ports) {
    // Before the start: a port that binds some of its sockets and fails on one must let go of the others.
    started.push(() => port.drain(0));
    try {
      await port.start();
    } catch (error) {
      if (error instanceof SluiceError && error.message.includes(port.name)) throw error;
      const code: string = error instanceof SluiceError ? String(error.code) : 'listen-failed';
      throw new SluiceError(code, `Port "${port.name}" cannot start: ${messageOf(error)}`, { cause: error });
    }
  }
}

interface Running {
  readonly settings: Settings;
  readonly audit: AuditLog;
  readonly policies: PolicyKeeper<PolicySet>;
  readonly verifier: TokenVerifier;
  readonly ports: readonly KafkaPort[];
  starting: boolean;
  draining: boolean;
}

function gatewayOf(state: Running, telemetry: TelemetryListener | null, started: Started, logger: Logger): Gateway {
  let stopping: Promise<void> | null = null;
  const stop = async (reason: string): Promise<void> => {
    state.draining = true;
    await Promise.all(state.ports.map((port) => port.drain(state.settings.drainTimeoutMs)));
    state.audit.append(auditEvent('gateway.stopped', { reason }));
    await started.undo();
    logger.info({ reason }, 'the gateway has stopped');
  };
  return {
    get policyRevision() {
      return state.policies.current().revision;
    },
    address(portName) {
      const port = state.ports.find(({ name }) => name === portName);
      if (port === undefined) throw new SluiceError('unknown-port', `There is no port "${portName}".`);
      return port.address();
    },
    telemetryAddress: () => telemetry?.address() ?? null,
    readiness: () => readinessOf(state),
    reloadPolicies: () => state.policies.reload(),
    stop: (reason = 'asked to') => (stopping ??= stop(reason)),
  };
}

function readinessOf({ policies, audit, ports, verifier, settings, starting, draining }: Running): Readiness {
  return gatewayReadiness({
    starting,
    draining,
    policy: { revision: policies.current().revision, lastLoadOk: policies.lastLoadOk() },
    audit: { writable: audit.status().writable, lost: audit.status().lost, mode: settings.audit.mode },
    ports: ports.map((port) => ({ name: port.name, ...port.status() })),
    issuers: verifier.status(),
  });
}

const problemsInEntryMax = 10;

interface PolicyReports {
  onLoaded(policies: PolicySet, previous: PolicySet | null, warnings: readonly ConfigProblem[]): void;
  onRejected(problems: readonly ConfigProblem[], inForce: PolicySet): void;
}

function policyReports(
  { audit, metrics, logger }: { audit: AuditLog; metrics: Metrics; logger: Logger },
  changed: () => void,
): PolicyReports {
  return {
    onLoaded(policies, previous, warnings) {
      const { revision, policies: documents } = policies;
      const entry = { revision, previous_revision: previous?.revision ?? 'none', documents };
      audit.append(auditEvent('policy.loaded', entry));
      metrics.policyLoaded(revision, documents.length);
      logger.info({ revision, previous: previous?.revision, documents: documents.length }, 'policies loaded');
      for (const warning of warnings) logger.warn({ place: placeOf(warning) }, warning.message);
      changed();
    },
    onRejected(problems, { revision }) {
      const listed = problems
        .slice(0, problemsInEntryMax)
        .map(({ path, line, column, message }) => ({ path, line, column, message }));
      const entry = { revision_in_force: revision, problems: listed, problems_total: problems.length };
      audit.append(auditEvent('policy.rejected', entry));
      metrics.policyRejected();
      for (const problem of listed) logger.error({ place: placeOf(problem) }, problem.message);
      const message = 'the policy edit was rejected; the last good revision stays in force';
      logger.error({ problems: problems.length, in_force: revision }, message);
    },
  };
}

function placeOf({ path, line, column }: ConfigProblem): string {
  return `${path}:${line}:${column}`;
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`;
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
