/** The supervisor's side of its workers: what they ask is answered, what they say is brought together. */
import { fileURLToPath } from 'node:url';
import type { AuditBatch, AuditLog, AuditReceipt } from '../audit/audit.ts';
import type { SessionRegistry } from '../gate/gate.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { programBeside } from '../lib/program.ts';
import type { Settings } from '../model/settings.ts';
import type { CheckedDocument, PolicyBundle } from '../policy/policy.ts';
import { WorkerPool } from '../process/process.ts';
import type { WorkerProcess } from '../process/process.ts';
import { addedCounts } from '../telemetry/telemetry.ts';
import type { Counts, LogLevel, MetricsSnapshot } from '../telemetry/telemetry.ts';
import type { FromWorker, ToWorker, WorkerStateReport } from './messages.ts';

const program = fileURLToPath(programBeside('worker', import.meta.url));
/** Rules in one piece of a policy: some milliseconds of work on either side. */
const rulesPerPiece = 500;
const measureTimeoutMs = 1_000;
const takeUpTimeoutMs = 10_000;
const sweepMs = 250;
/** A worker says how it is four times a second. One that has not for so long does nothing for its clients either. */
const silentMsMax = 60_000;

type Worker = WorkerProcess<FromWorker>;

/** What is known of a worker beside its process. */
interface Known {
  state: WorkerStateReport | null;
  lastHeardMs: number;
  snapshot: MetricsSnapshot | null;
}

export interface HubParts {
  readonly settings: Settings;
  readonly audit: AuditLog;
  readonly registry: SessionRegistry;
  readonly logger: Logger;
  readonly logLevel: LogLevel;
  readonly clock: Clock;
  readonly workers: number;
}

export class WorkerHub {
  readonly pool: WorkerPool<FromWorker>;
  readonly #parts: HubParts;
  readonly #known = new Map<Worker, Known>();
  readonly #measuring = new Map<number, () => void>();
  readonly #timer: NodeJS.Timeout;
  #bundle: PolicyBundle | null = null;
  #measured = 0;
  #stopping = false;
  #endedCounts: Counts = {};
  /** Told when a worker's state comes in, or one is gone. */
  readonly #watchers = new Set<() => void>();
  #toldStatus = '';

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.pool = new WorkerPool<FromWorker>({
      count: parts.workers,
      program,
      logger: parts.logger,
      drainTimeoutMs: parts.settings.drainTimeoutMs,
      greet: (worker) => this.#greet(worker),
      drain: (worker, timeoutMs) => this.#drain(worker, timeoutMs),
      message: (worker, message) => this.#message(worker, message),
      gone: (worker, cause) => this.#gone(worker, cause),
    });
    this.#timer = setInterval(() => this.#tick(), sweepMs);
    this.#timer.unref();
  }

  /** Resolves when all workers have ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.pool.stop();
    clearInterval(this.#timer);
  }

  /** What workers that are gone counted. */
  get endedCounts(): Counts {
    return this.#endedCounts;
  }

  /** Sends a revision to every worker; those that start later get it as well. */
  apply(bundle: PolicyBundle): void {
    this.#bundle = bundle;
    for (const worker of this.pool.all()) sendPolicy(worker, bundle);
  }

  /** Resolves with whether every worker that serves has taken the revision up, waiting a while. */
  inForce(revision: string): Promise<boolean> {
    const all = (): boolean => this.#serving().every((worker) => this.#known.get(worker)?.state?.revision === revision);
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(result);
      };
      const look = (): void => void (all() && finish(true));
      const timer = setTimeout(() => finish(false), takeUpTimeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** States of those that take connections. */
  states(): readonly WorkerStateReport[] {
    return this.#serving().flatMap((worker) => this.#known.get(worker)?.state ?? []);
  }

  connections(): readonly { readonly worker: number; readonly connections: number }[] {
    return Array.from(this.pool.all(), ({ number, connections }) => ({ worker: number, connections }));
  }

  /** What each worker counts now; what it last said where it does not answer in time. */
  async measure(): Promise<ReadonlyMap<string, MetricsSnapshot>> {
    const workers = [...this.pool.all()];
    await Promise.all(workers.map((worker) => this.#ask(worker)));
    return new Map(
      workers.flatMap((worker): [string, MetricsSnapshot][] => {
        const snapshot = this.#known.get(worker)?.snapshot ?? null;
        return snapshot === null ? [] : [[String(worker.number), snapshot]];
      }),
    );
  }

  #serving(): Worker[] {
    return [...this.pool.all()].filter(({ state }) => state === 'up');
  }

  #greet(worker: Worker): void {
    const { settings, logLevel, clock } = this.#parts;
    this.#known.set(worker, { state: null, lastHeardMs: clock.nowMs(), snapshot: null });
    send(worker, { kind: 'start', settings, logLevel });
    if (this.#bundle !== null) sendPolicy(worker, this.#bundle);
  }

  #drain(worker: Worker, timeoutMs: number): void {
    this.#parts.registry.retire(worker.number);
    send(worker, { kind: 'drain', timeoutMs, reason: this.#stopping ? 'gateway stopped' : 'its worker was replaced' });
  }

  #message(worker: Worker, message: FromWorker): void {
    const known = this.#known.get(worker);
    if (known !== undefined) known.lastHeardMs = this.#parts.clock.nowMs();
    const { registry, logger } = this.#parts;
    switch (message.kind) {
      case 'join':
        return send(worker, {
          kind: 'joined',
          question: message.question,
          answer: registry.join(worker.number, message.request),
        });
      case 'leave':
        return registry.leave(worker.number, message.session);
      case 'audit':
        return this.#enter(worker, message);
      case 'state':
        if (known !== undefined) known.state = message;
        return this.#watchers.forEach((look) => look());
      case 'measured':
        if (known !== undefined) known.snapshot = message.snapshot;
        return this.#measuring.get(message.question)?.();
      case 'log':
        return logger[message.level]({ worker: worker.number, ...message.fields }, message.message);
      default:
      // The pool has taken the rest.
    }
  }

  #enter(worker: Worker, { upTo, drafts, lost }: AuditBatch): void {
    const { registry, audit, logger } = this.#parts;
    registry.lost(worker.number, lost);
    for (const draft of drafts) {
      try {
        registry.append(worker.number, draft);
      } catch (error) {
        // The log has reported it as lost.
        logger.error(
          { worker: worker.number, error: messageOf(error) },
          'an audit entry of a worker cannot be written',
        );
      }
    }
    const receipt = (failure: string | null): void =>
      send(worker, { kind: 'audited', upTo, failure, status: statusOf(audit) });
    audit.durable().then(
      () => receipt(null),
      (error: unknown) => receipt(messageOf(error)),
    );
  }

  #gone(worker: Worker, cause: string): void {
    const { registry, windowMs } = { ...this.#parts, windowMs: this.#parts.settings.audit.windowMs };
    const known = this.#known.get(worker);
    this.#known.delete(worker);
    if (known?.snapshot) this.#endedCounts = addedCounts([this.#endedCounts, known.snapshot.counts]);
    const lastHeardMs = known?.lastHeardMs ?? this.#parts.clock.nowMs() - windowMs;
    const { number, connections } = worker;
    // One that never served has nothing to be told of.
    const served = known !== undefined && known.state !== null;
    if (cause !== '' && served) registry.died({ worker: number, cause, connections, lastHeardMs });
    else registry.ended(number);
    for (const look of this.#watchers) look();
  }

  #ask(worker: Worker): Promise<void> {
    this.#measured += 1;
    const question = this.#measured;
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#measuring.delete(question);
        resolve();
      };
      const timer = setTimeout(finish, measureTimeoutMs);
      this.#measuring.set(question, finish);
      send(worker, { kind: 'measure', question });
    });
  }

  #tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#parts.registry.sweep(nowMs);
    this.#tellStatus();
    for (const worker of this.#serving()) {
      const silentMs = nowMs - (this.#known.get(worker)?.lastHeardMs ?? nowMs);
      if (silentMs > silentMsMax) worker.kill(`silent for ${Math.round(silentMs / 1_000)} s`);
    }
  }

  /** Workers that have nothing to enter must still know whether they could. */
  #tellStatus(): void {
    const status = statusOf(this.#parts.audit);
    const text = JSON.stringify(status);
    if (text === this.#toldStatus) return;
    this.#toldStatus = text;
    for (const worker of this.pool.all()) send(worker, { kind: 'audit-status', status });
  }
}

function send(worker: Worker, message: ToWorker): void {
  worker.link.send(message);
}

function statusOf(audit: AuditLog): AuditReceipt['status'] {
  const { writable, backlogged, lost } = audit.status();
  return { writable, backlogged, lost };
}

function sendPolicy(worker: Worker, { revision, documents }: PolicyBundle): void {
  let piece: CheckedDocument[] = [];
  let rules = 0;
  for (const one of documents) {
    piece.push(one);
    rules += one.lines.allow.length + one.lines.deny.length;
    if (rules < rulesPerPiece) continue;
    send(worker, { kind: 'policy', revision, documents: piece, last: false });
    piece = [];
    rules = 0;
  }
  send(worker, { kind: 'policy', revision, documents: piece, last: true });
}
