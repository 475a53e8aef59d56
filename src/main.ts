/** The composition root: the only file that sees every part, and puts them together. */
import { readFileSync } from 'node:fs';
import { auditEvent, openAuditLog } from './audit/audit.ts';
import type { AuditLog } from './audit/audit.ts';
import type { SettingsCheck } from './config/config.ts';
import { readPolicyFiles } from './config/policy-files.ts';
import type { ConfigProblem, PlacedProblem } from './config/problem.ts';
import { createGate } from './gate/gate.ts';
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
import { keepPolicies } from './process/policy-keeper.ts';
import type { PolicyKeeper } from './process/policy-keeper.ts';
import { readiness } from './telemetry/health.ts';
import type { HealthCheck, Readiness } from './telemetry/health.ts';
import { startTelemetryListener } from './telemetry/listener.ts';
import type { TelemetryListener } from './telemetry/listener.ts';
import { createMetrics } from './telemetry/metrics.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { gateObserver, kafkaObserver } from './telemetry/observers.ts';

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
  const issuers = settings.issuers.map(({ name, issuer, requiredClaims }) => ({ name, issuer, requiredClaims }));
  return { ports, issuers };
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

async function compose(
  settings: Settings,
  { logger, clock = systemClock }: GatewayParts,
  started: Started,
): Promise<Gateway> {
  const metrics = createMetrics({ version: version(), gatewayId: settings.gatewayId });
  const files = await readPolicyFiles(settings.policyDirectory);
  const audit = await openAuditLog({
    directory: settings.audit.directory,
    mode: settings.audit.mode,
    gatewayId: settings.gatewayId,
    clock,
    logger,
  });
  started.push(() => audit.close());
  const policies = keepPolicies(files, {
    directory: settings.policyDirectory,
    compile: (read) => compilePolicies(read, policyContext(settings), clock.nowMs()),
    ...policyReports({ audit, metrics, logger }),
  });
  started.push(() => policies.close());
  const verifier = createTokenVerifier(settings.issuers, { clock, logger });
  started.push(() => verifier.close());
  const gate = createGate({
    audit,
    policies: () => policies.current(),
    windowMs: settings.audit.windowMs,
    clock,
    logger,
    observer: gateObserver(metrics),
  });
  started.push(() => gate.close());
  const observer = kafkaObserver(metrics);
  const ports = settings.ports.map((port) => createKafkaPort(port, { gate, verifier, logger, observer, clock }));
  const state: Running = { settings, audit, policies, verifier, ports, draining: false };
  metrics.watch({
    audit: () => audit.status(),
    issuers: () => verifier.status(),
    ports: () => ports.map((port) => ({ port: port.name, ...port.status() })),
  });
  const telemetry =
    settings.telemetry.listen === undefined
      ? null
      : await startTelemetryListener(settings.telemetry.listen, {
          metrics: () => metrics.render(),
          readiness: () => readinessOf(state),
        });
  started.push(() => telemetry?.close());
  await startPorts(ports, started);
  void verifier.start();
  audit.append(
    auditEvent('gateway.started', {
      version: version(),
      audit_mode: settings.audit.mode,
      ports: ports.map((port) => port.name),
      policy_revision: policies.current().revision,
    }),
  );
  await audit.durable();
  logger.info(
    { gateway: settings.gatewayId, ports: ports.length, policy: policies.current().revision },
    'the gateway is up',
  );
  return gatewayOf(state, telemetry, started, logger);
}

async function startPorts(ports: readonly KafkaPort[], started: Started): Promise<void> {
  for (const port of ports) {
    // Before the start: a port that binds some of its sockets and fails on one must let go of the others.
    started.push(() => port.drain(0));
    try {
      await port.start();
    } catch (error) {
      if (error instanceof SluiceError && error.message.includes(port.name)) throw error;
      const code = error instanceof SluiceError ? error.code : 'listen-failed';
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

function readinessOf({ policies, audit, ports, verifier, settings, draining }: Running): Readiness {
  const policy = {
    name: 'policy',
    ok: true,
    detail: `revision ${policies.current().revision}${policies.lastLoadOk() ? '' : '; the files as they are now were rejected'}`,
  };
  const { writable, lost } = audit.status();
  const log: HealthCheck = {
    name: 'audit',
    // In `available` mode the gateway works on without its log, as it was told to.
    ok: writable || settings.audit.mode === 'available',
    detail: writable ? 'writable' : `cannot be written; ${lost} entries lost`,
  };
  const perPort = ports.map((port): HealthCheck => {
    const { ready, detail } = port.status();
    return { name: `port/${port.name}`, ok: ready, detail };
  });
  // An issuer that is away does not take the gateway out of service: tokens of others still work.
  const issuers = verifier
    .status()
    .map(({ issuer, usable, keys }): HealthCheck => ({
      name: `issuer/${issuer}`,
      ok: true,
      detail: usable ? `${keys} keys` : 'no usable keys: its tokens are refused',
    }));
  return readiness([policy, log, ...perPort, ...issuers], draining);
}

const problemsInEntryMax = 10;

function policyReports({ audit, metrics, logger }: { audit: AuditLog; metrics: Metrics; logger: Logger }): {
  onLoaded(policies: PolicySet, previous: PolicySet | null, warnings: readonly ConfigProblem[]): void;
  onRejected(problems: readonly ConfigProblem[], inForce: PolicySet): void;
} {
  return {
    onLoaded(policies, previous, warnings) {
      const { revision, policies: documents } = policies;
      audit.append(
        auditEvent('policy.loaded', { revision, previous_revision: previous?.revision ?? 'none', documents }),
      );
      metrics.policyLoaded(revision, documents.length);
      logger.info({ revision, previous: previous?.revision, documents: documents.length }, 'policies loaded');
      for (const warning of warnings)
        logger.warn({ place: `${warning.path}:${warning.line}:${warning.column}` }, warning.message);
    },
    onRejected(problems, inForce) {
      const listed = problems
        .slice(0, problemsInEntryMax)
        .map(({ path, line, column, message }) => ({ path, line, column, message }));
      audit.append(
        auditEvent('policy.rejected', {
          revision_in_force: inForce.revision,
          problems: listed,
          problems_total: problems.length,
        }),
      );
      metrics.policyRejected();
      for (const problem of listed)
        logger.error({ place: `${problem.path}:${problem.line}:${problem.column}` }, problem.message);
      logger.error(
        { problems: problems.length, in_force: inForce.revision },
        'the policy edit was rejected; the last good revision stays in force',
      );
    },
  };
}

/** What has been started, to be undone last first. */
class Started {
  readonly #undo: (() => void | Promise<void>)[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  push(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Each is undone even where another fails. */
  async undo(): Promise<void> {
    for (const undo of this.#undo.splice(0).toReversed()) {
      try {
        await undo();
      } catch (error) {
        this.#logger.error({ error: messageOf(error) }, 'a part did not stop cleanly');
      }
    }
  }
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`;
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
