/** The gateway as one process. */
import { readPolicyFiles } from '../config/config.ts';
import type { PolicyFile } from '../config/config.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { inSlices } from '../lib/slices.ts';
import type { Settings } from '../model/settings.ts';
import { assemblePolicies } from '../policy/policy.ts';
import type { CompileResult, PolicySet } from '../policy/policy.ts';
import type { KafkaPort } from '../ports/kafka/kafka.ts';
import { keepPolicies } from '../process/process.ts';
import type { Started } from '../process/process.ts';
import { createMetrics } from '../telemetry/telemetry.ts';
import type { Metrics } from '../telemetry/telemetry.ts';
import type { Gateway, GatewayParts } from './contract.ts';
import { buildDataPlane } from './data-plane.ts';
import type { DataPlane } from './data-plane.ts';
import { openOwnAuditLog } from './own-audit-log.ts';
import { PolicyChecker, policyReports } from './policies.ts';
import { runGateway, version } from './running.ts';
import type { Serving } from './running.ts';
import { policyContext } from './settings-checks.ts';

/** @throws SluiceError of the part that could not start; what was started is left to `started` */
export async function startSingle(settings: Settings, parts: GatewayParts, started: Started): Promise<Gateway> {
  const { logger, clock = systemClock } = parts;
  const { gatewayId, policyDirectory: directory } = settings;
  const metrics = createMetrics({ version: version(), gatewayId });
  const files = await readPolicyFiles(directory);
  const audit = parts.audit ?? (await openOwnAuditLog(settings, { clock, logger }, started));
  const followers: (() => void)[] = [];
  const policies = await keepPolicies(files, {
    directory,
    compile: compiler(settings, clock, started),
    ...policyReports({ audit, metrics, logger }, () => followers.forEach((follow) => follow())),
  });
  started.push(() => policies.close());
  const current = (): PolicySet => policies.current();
  const plane = buildDataPlane(settings, { audit, policies: current, metrics, logger, clock }, started);
  followers.push(() => plane.gate.policyChanged());
  metrics.watch({
    audit: () => ({ ...audit.status(), sinks: audit.sinks() }),
    issuers: () => plane.verifier.status(),
    ports: () => plane.ports.map((port) => ({ port: port.name, ...port.status() })),
  });
  const serving = servingOf(settings, plane, metrics, started);
  return runGateway({ settings, audit, metrics, policies, serving, logger }, started);
}

/** Assembled between other work. */
function compiler(
  settings: Settings,
  clock: Clock,
  started: Started,
): (files: readonly PolicyFile[]) => Promise<CompileResult> {
  const checker = new PolicyChecker();
  started.push(() => checker.close());
  const context = policyContext(settings);
  return async (files) => {
    const checked = await checker.check({ files, context, nowMs: clock.nowMs() });
    if (!checked.ok) return checked;
    return { ok: true, policies: await inSlices(assemblePolicies(checked.bundle)), warnings: checked.warnings };
  };
}

function servingOf(
  { drainTimeoutMs }: Settings,
  { ports, verifier }: DataPlane,
  metrics: Metrics,
  started: Started,
): Serving {
  return {
    async start() {
      await startPorts(ports, started);
      void verifier.start();
    },
    address: (portName) => ports.find(({ name }) => name === portName)?.address() ?? null,
    state: () => ({
      ports: ports.map((port) => ({ name: port.name, ...port.status() })),
      issuers: verifier.status(),
    }),
    metrics: () => metrics.render(),
    inForce: () => Promise.resolve(true),
    restartWorkers: () => Promise.resolve(),
    drain: async () => void (await Promise.all(ports.map((port) => port.drain(drainTimeoutMs)))),
  };
}

async function startPorts(ports: readonly KafkaPort[], started: Started): Promise<void> {
  for (const port of ports) {
    // Before the start: a port that binds some of its sockets and fails on one must let go of the others.
    started.push(() => port.drain(0));
    try {
      await port.start();
    } catch (error) {
      throw portError(port.name, error);
    }
  }
}

/** Names the port, where the error does not. */
export function portError(name: string, error: unknown): SluiceError {
  const code: string = error instanceof SluiceError ? String(error.code) : 'listen-failed';
  if (error instanceof SluiceError && error.message.includes(name))
    return new SluiceError(code, error.message, { cause: error });
  return new SluiceError(code, `Port "${name}" cannot start: ${messageOf(error)}`, { cause: error });
}
