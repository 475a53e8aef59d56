/** What serves clients: identities, recordings, the gate and every port. One process has it all, or each worker has one. */
import type { AuditLog } from '../audit/audit.ts';
import { createGate, recordingEntries } from '../gate/gate.ts';
import type { GateObserver, RunningGate, SessionDirectory } from '../gate/gate.ts';
import { createTokenVerifier } from '../identity/identity.ts';
import type { TokenVerifier } from '../identity/identity.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Settings } from '../model/settings.ts';
import type { PolicySet } from '../policy/policy.ts';
import { createKafkaPort } from '../ports/kafka/kafka.ts';
import type { KafkaPort } from '../ports/kafka/kafka.ts';
import type { Started } from '../process/process.ts';
import { openRecordings } from '../recording/recording.ts';
import type { RunningRecordings } from '../recording/recording.ts';
import { gateObserver, kafkaObserver } from '../telemetry/telemetry.ts';
import type { Metrics } from '../telemetry/telemetry.ts';

export interface DataPlaneParts {
  readonly audit: AuditLog;
  /** The revision in force; `null` before the first. */
  readonly policies: () => PolicySet | null;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Where other processes serve the same sessions. */
  readonly directory?: SessionDirectory;
}

export interface DataPlane {
  readonly gate: RunningGate;
  readonly verifier: TokenVerifier;
  readonly ports: readonly KafkaPort[];
}

/** Everything but the sockets, in the order in which the parts need each other. */
export function buildDataPlane(settings: Settings, parts: DataPlaneParts, started: Started): DataPlane {
  const { audit, policies, metrics, logger, clock, directory } = parts;
  const { mode, windowMs } = settings.audit;
  const verifier = createTokenVerifier(settings.issuers, { clock, logger });
  started.push(() => verifier.close());
  const recordings = recordingsOf(settings, parts);
  if (recordings !== null) started.push(() => recordings.close());
  const gate = createGate({
    policies,
    audit,
    mode,
    windowMs,
    clock,
    logger,
    observer: directory === undefined ? gateObserver(metrics) : withoutSessions(gateObserver(metrics)),
    ...(directory !== undefined && { directory }),
    ...(recordings !== null && { recordings }),
  });
  started.push(() => gate.close());
  const observer = kafkaObserver(metrics);
  const ports = settings.ports.map((port) => createKafkaPort(port, { gate, verifier, logger, observer, clock }));
  return { gate, verifier, ports };
}

/** A session that spans processes is counted where it is one. */
function withoutSessions(observer: GateObserver): GateObserver {
  return { ...observer, sessionOpened() {}, sessionClosed() {} };
}

function recordingsOf(
  { recording, gatewayId }: Settings,
  { audit, logger, clock }: Pick<DataPlaneParts, 'audit' | 'logger' | 'clock'>,
): RunningRecordings | null {
  if (recording === undefined) return null;
  return openRecordings({ settings: recording, gatewayId, clock, logger, events: recordingEntries(audit) });
}
