import type { OwnedAuditLog } from '../audit/audit.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { HostPort } from '../model/settings.ts';
import type { LogLevel, Readiness } from '../telemetry/telemetry.ts';

export interface Gateway {
  readonly policyRevision: string;
  /** Where clients of a port bootstrap, as bound. @throws SluiceError `unknown-port` */
  address(portName: string): HostPort;
  /** `null` where telemetry has no listener. */
  telemetryAddress(): HostPort | null;
  readiness(): Readiness;
  /** Reads the policy files now. @returns whether they are in force; what is wrong with them is logged and in the audit log */
  reloadPolicies(): Promise<boolean>;
  /** New worker processes for old ones, one after the other, with no connection refused. Nothing where there are none. */
  restartWorkers(): Promise<void>;
  /** Takes no new connections, lets requests in flight finish for `drainTimeoutMs` at the most, closes the audit log. Once. */
  stop(reason?: string): Promise<void>;
}

export interface GatewayParts {
  readonly logger: Logger;
  /** Not for workers, which have the system's. */
  readonly clock?: Clock;
  /** Takes entries instead of a log in the settings' folder; benchmarks run without one. Not for workers. */
  readonly audit?: OwnedAuditLog;
  /** What workers log; default: as the settings say. */
  readonly logLevel?: LogLevel;
}
