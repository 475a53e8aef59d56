/**
 * The workers: as many as are wanted, each connection with the one that has the fewest, and a new one for each that
 * dies. A connection belongs to one worker for its whole life; the others never notice that worker's end.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../lib/errors.ts';
import { connectionsWithoutWorkerMax, connectionWithoutWorkerMs } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import { Backoff } from './backoff.ts';
import { WorkerProcess } from './worker-process.ts';
import type { Held, WorkerReport } from './worker-process.ts';

export interface PoolOptions<In> {
  readonly count: number;
  /** The worker's program. */
  readonly program: string;
  readonly logger: Logger;
  /** How long a worker that is replaced may take to answer what is under way. */
  readonly drainTimeoutMs: number;
  /** The first messages to a new worker; it answers `ready` once it can serve. */
  greet(worker: WorkerProcess<In>): void;
  /** Asks a worker to finish what is under way, and to end. */
  drain(worker: WorkerProcess<In>, timeoutMs: number): void;
  /** What the pool itself does not understand. */
  message(worker: WorkerProcess<In>, message: In): void;
  /** A worker has ended, after its last message. `cause` is empty where it was asked to. */
  gone(worker: WorkerProcess<In>, cause: string): void;
}

export interface PoolStatus {
  readonly wanted: number;
  readonly up: number;
  /** Workers die as soon as they start. */
  readonly crashLooping: boolean;
  readonly waitingConnections: number;
  readonly replaced: number;
}

const startTimeoutMs = 120_000;
/** A worker that has served this long ends a crash loop. */
const settledMs = 10_000;
/**
 * A connection that a worker has just been given has this long to say its first words and to be answered, before that
 * worker is asked to finish: one that was accepted and then closed unheard is one that was refused.
 */
const newcomerMs = 1_000;
/** Beyond its drain, for its last entries. */
const endGraceMs = 5_000;

export class WorkerPool<In extends object> {
  readonly #options: PoolOptions<In>;
  readonly #workers = new Set<WorkerProcess<In>>();
  readonly #backoff = new Backoff();
  readonly #waiting: (Held & { readonly sinceMs: number })[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Called when a worker changes its state. */
  readonly #watchers = new Set<() => void>();
  /** Those that were asked to end. */
  readonly #retiring = new WeakSet<WorkerProcess<In>>();
  /** Those whose successor starts: one that dies meanwhile needs no other. */
  readonly #succeeded = new WeakSet<WorkerProcess<In>>();
  /** Those that are replaced where they die: not one whose start somebody waits for. */
  readonly #counted = new WeakSet<WorkerProcess<In>>();
  #numbers = 0;
  #sockets = 0;
  #replaced = 0;
  #stopping = false;
  #rolling: Promise<void> | null = null;

  constructor(options: PoolOptions<In>) {
    this.#options = options;
  }

  /** Resolves when all are up. @throws SluiceError what the first of them that could not start said */
  async start(): Promise<void> {
    const first = Array.from({ length: this.#options.count }, () => this.#spawn());
    await Promise.all(first.map((worker) => this.#isUp(worker)));
  }

  /** Every worker that has not ended. */
  all(): Iterable<WorkerProcess<In>> {
    return this.#workers;
  }

  status(): PoolStatus {
    return {
      wanted: this.#options.count,
      up: this.#serving().length,
      crashLooping: this.#backoff.looping,
      waitingConnections: this.#waiting.length,
      replaced: this.#replaced,
    };
  }

  /** Takes a connection from which nothing has been read. It waits a while where no worker is up. */
  take(socket: Socket, index: number): void {
    socket.on('error', () => {});
    this.#place({ socket, index });
  }

  /** New workers for old: each new one is up before an old one finishes what is under way. */
  roll(): Promise<void> {
    this.#rolling ??= this.#roll().finally(() => (this.#rolling = null));
    return this.#rolling;
  }

  /** Resolves when every worker has ended; those that take longer are killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
    await Promise.all(Array.from(this.#workers, (worker) => this.#retire(worker)));
  }

  #serving(): WorkerProcess<In>[] {
    return [...this.#workers].filter(({ state }) => state === 'up');
  }

  #spawn(): WorkerProcess<In> {
    this.#numbers += 1;
    const worker = new WorkerProcess<In>(this.#numbers, this.#options.program, {
      message: (from, message) => this.#message(from, message),
      gone: (from) => this.#gone(from),
    });
    this.#workers.add(worker);
    this.#options.greet(worker);
    const timer = this.#after(startTimeoutMs, () => {
      if (worker.state === 'starting') worker.kill(`not ready within ${startTimeoutMs} ms`);
    });
    this.#watch(() => worker.state !== 'starting' && this.#forget(timer));
    return worker;
  }

  #message(worker: WorkerProcess<In>, message: In): void {
    const report = message as unknown as WorkerReport;
    switch (report.kind) {
      case 'ready':
        return this.#ready(worker);
      case 'failed':
        worker.failure = { code: report.code, message: report.message };
        return;
      case 'taken':
        return worker.taken(report.sockets);
      case 'returned':
        for (const held of worker.takeBack(report.sockets)) this.#place(held);
        return;
      case 'ended':
        return worker.ended(report.sockets);
      default:
        this.#options.message(worker, message);
    }
  }

  #ready(worker: WorkerProcess<In>): void {
    if (worker.state !== 'starting') return;
    worker.state = 'up';
    this.#options.logger.info({ worker: worker.number, pid: worker.pid }, 'a worker is up');
    for (const held of this.#waiting.splice(0)) this.#place(held);
    this.#after(settledMs, () => worker.state === 'up' && this.#backoff.lived());
    this.#changed();
  }

  #gone(worker: WorkerProcess<In>): void {
    this.#workers.delete(worker);
    const asked = this.#retiring.has(worker);
    this.#options.gone(worker, asked && worker.cause === 'exit code 0' ? '' : worker.cause);
    for (const held of worker.takeBack()) this.#place(held);
    this.#changed();
    if (asked || this.#stopping || !this.#counted.has(worker)) return;
    const waitMs = this.#backoff.died(performance.now() - worker.startedMs);
    const fields = { worker: worker.number, cause: worker.failure?.message ?? worker.cause, next_in_ms: waitMs };
    this.#options.logger.error(
      fields,
      this.#backoff.looping
        ? 'a worker ended again as soon as it had started: not ready until one stays'
        : 'a worker died: its connections are gone, the others go on; it is replaced',
    );
    this.#replaced += 1;
    if (this.#succeeded.has(worker)) return;
    this.#after(waitMs, () => this.#replace());
  }

  #replace(): void {
    if (this.#stopping) return;
    this.#counted.add(this.#spawn());
  }

  async #isUp(worker: WorkerProcess<In>): Promise<void> {
    await this.#until(() => worker.state !== 'starting');
    if (worker.state === 'up') {
      this.#counted.add(worker);
      return;
    }
    const { failure, cause } = worker;
    if (failure !== null) throw new SluiceError(failure.code, failure.message);
    throw new SluiceError(
      'worker-not-started',
      `A worker ended before it could serve: ${cause}. Its reason is in the log.`,
    );
  }

  async #roll(): Promise<void> {
    const old = this.#serving();
    this.#options.logger.info({ workers: old.length }, 'rolling restart: a new worker for each, one after the other');
    for (const worker of old) {
      if (this.#stopping || worker.state !== 'up') continue;
      await this.#succeed(worker);
      await this.#lastNewcomer(worker);
      await this.#retire(worker);
    }
    this.#options.logger.info({}, 'rolling restart: done');
  }

  /** @throws SluiceError where the successor could not start; the old one goes on, or is replaced as any that died */
  async #succeed(old: WorkerProcess<In>): Promise<void> {
    this.#succeeded.add(old);
    try {
      await this.#isUp(this.#spawn());
    } catch (error) {
      this.#succeeded.delete(old);
      if (old.state === 'gone') this.#replace();
      throw error;
    }
  }

  /** From here on it is given no connection; resolves when the last one it was given has had its time. */
  async #lastNewcomer(worker: WorkerProcess<In>): Promise<void> {
    if (worker.state !== 'up') return;
    this.#retiring.add(worker);
    worker.state = 'draining';
    this.#changed();
    const leftMs = worker.lastGivenMs + newcomerMs - performance.now();
    if (leftMs > 0) await sleep(leftMs, undefined, { ref: false });
  }

  async #retire(worker: WorkerProcess<In>): Promise<void> {
    this.#retiring.add(worker);
    if (worker.state === 'gone') return;
    worker.state = 'draining';
    this.#changed();
    this.#options.drain(worker, this.#options.drainTimeoutMs);
    const timer = setTimeout(() => worker.kill('took too long to end'), this.#options.drainTimeoutMs + endGraceMs);
    await this.#until(() => worker.state === 'gone');
    clearTimeout(timer);
  }

  /** Fewest connections of the same listening socket first: a client has one to each broker, and they are not alike. */
  #place(held: Held): void {
    if (this.#stopping || held.socket.destroyed) {
      held.socket.destroy();
      return;
    }
    let best: WorkerProcess<In> | null = null;
    for (const worker of this.#serving()) if (best === null || isLess(worker, best, held.index)) best = worker;
    if (best === null) return this.#wait(held);
    this.#sockets += 1;
    best.give(this.#sockets, held);
  }

  #wait(held: Held): void {
    if (this.#waiting.length >= connectionsWithoutWorkerMax) {
      held.socket.destroy();
      return;
    }
    const waiting = { ...held, sinceMs: performance.now() };
    this.#waiting.push(waiting);
    this.#after(connectionWithoutWorkerMs, () => {
      const at = this.#waiting.indexOf(waiting);
      if (at !== -1) this.#waiting.splice(at, 1)[0]?.socket.destroy();
    });
  }

  #after(ms: number, work: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #forget(timer: NodeJS.Timeout): true {
    clearTimeout(timer);
    this.#timers.delete(timer);
    return true;
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => this.#watch(() => condition() && (resolve(), true)));
  }

  /** Asks at once and at every change, until the answer is true. */
  #watch(condition: () => boolean): void {
    if (condition()) return;
    const watcher = (): void => {
      if (condition()) this.#watchers.delete(watcher);
    };
    this.#watchers.add(watcher);
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

function isLess<In>(one: WorkerProcess<In>, other: WorkerProcess<In>, index: number): boolean {
  const difference = one.connectionsBy(index) - other.connectionsBy(index);
  return difference < 0 || (difference === 0 && one.connections < other.connections);
}
