/** What the supervisor and a worker say to each other. Plain values. */
import type { AuditBatch, AuditReceipt } from '../audit/audit.ts';
import type { JoinAnswer, JoinRequest } from '../gate/gate.ts';
import type { LogFields } from '../lib/logger.ts';
import type { Settings } from '../model/settings.ts';
import type { CheckedDocument } from '../policy/policy.ts';
import type { WorkerReport } from '../process/process.ts';
import type { LogLevel, MetricsSnapshot } from '../telemetry/telemetry.ts';

export type ToWorker =
  | { readonly kind: 'start'; readonly settings: Settings; readonly logLevel: LogLevel }
  | PolicyPiece
  | { readonly kind: 'joined'; readonly question: number; readonly answer: JoinAnswer }
  | ({ readonly kind: 'audited' } & AuditReceipt)
  | { readonly kind: 'audit-status'; readonly status: AuditReceipt['status'] }
  | { readonly kind: 'measure'; readonly question: number }
  /** Answer what is under way, for so long at the most, and end. */
  | { readonly kind: 'drain'; readonly timeoutMs: number; readonly reason: string };

/** A revision comes in pieces, so that neither side stands still over it. */
export interface PolicyPiece {
  readonly kind: 'policy';
  readonly revision: string;
  readonly documents: readonly CheckedDocument[];
  readonly last: boolean;
}

export type FromWorker =
  | WorkerReport
  | AuditBatch
  | { readonly kind: 'join'; readonly question: number; readonly request: JoinRequest }
  | { readonly kind: 'leave'; readonly session: string }
  | WorkerStateReport
  | { readonly kind: 'measured'; readonly question: number; readonly snapshot: MetricsSnapshot }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly fields: LogFields; readonly message: string };

/** Sent several times a second: also a sign of life. */
export interface WorkerStateReport {
  readonly kind: 'state';
  /** In force there; `null` before the first. */
  readonly revision: string | null;
  readonly ports: readonly {
    readonly name: string;
    readonly ready: boolean;
    readonly detail: string;
    readonly connections: number;
    readonly brokers: number;
  }[];
  readonly issuers: readonly {
    readonly issuer: string;
    readonly usable: boolean;
    readonly keys: number;
    readonly keysAgeMs: number | null;
  }[];
}
