/** A worker's data plane, and the ends of the threads that tie it to the supervisor. */
import type { Socket } from 'node:net';
import { RemoteAuditLog } from '../audit/audit.ts';
import type { JoinAnswer, JoinRequest, SessionDirectory } from '../gate/gate.ts';
import { systemClock } from '../lib/clock.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import type { LogFields, Logger } from '../lib/logger.ts';
import { inSlices } from '../lib/slices.ts';
import type { Settings } from '../model/settings.ts';
import { assemblePolicies } from '../policy/policy.ts';
import type { CheckedDocument, PolicySet } from '../policy/policy.ts';
import { kafkaSockets } from '../ports/kafka/kafka.ts';
import { Started } from '../process/process.ts';
import type { Link } from '../process/process.ts';
import { createMetrics } from '../telemetry/telemetry.ts';
import type { LogLevel, Metrics } from '../telemetry/telemetry.ts';
import { buildDataPlane } from './data-plane.ts';
import type { DataPlane } from './data-plane.ts';
import type { FromWorker, PolicyPiece, ToWorker } from './messages.ts';
import { portError } from './single.ts';
import { version } from './running.ts';

const stateEveryMs = 250;

type WorkerLink = Link<FromWorker, ToWorker>;

export class WorkerPlane {
  readonly #settings: Settings;
  readonly #link: WorkerLink;
  readonly #logger: Logger;
  readonly #audit: RemoteAuditLog;
  readonly #metrics: Metrics;
  readonly #directory: AskedDirectory;
  readonly #plane: DataPlane;
  readonly #started: Started;
  readonly #timer: NodeJS.Timeout;
  #policies: PolicySet | null = null;
  #documents: CheckedDocument[] = [];
  /** Told when the first revision is in force. */
  readonly #firstPolicies = Promise.withResolvers<void>();
  /** Counts revisions that arrived: only the last is assembled to its end. */
  #arrived = 0;

  constructor({ settings, logLevel }: ToWorker & { readonly kind: 'start' }, link: WorkerLink) {
    this.#settings = settings;
    this.#link = link;
    this.#logger = linkedLogger(link, logLevel);
    this.#started = new Started(this.#logger);
    this.#audit = new RemoteAuditLog({
      mode: settings.audit.mode,
      logger: this.#logger,
      send: (text) => link.sendText(text),
    });
    this.#started.push(() => this.#audit.close());
    this.#metrics = createMetrics({ version: version(), gatewayId: settings.gatewayId });
    this.#directory = new AskedDirectory(link);
    const policies = (): PolicySet | null => this.#policies;
    this.#plane = buildDataPlane(
      settings,
      {
        audit: this.#audit,
        policies,
        metrics: this.#metrics,
        logger: this.#logger,
        clock: systemClock,
        directory: this.#directory,
      },
      this.#started,
    );
    this.#timer = setInterval(() => this.#report(), stateEveryMs);
  }

  /** Resolves once it can serve, with what takes connections. @throws SluiceError of the port that cannot start */
  async prepare(): Promise<(socket: Socket, index: number) => void> {
    for (const port of this.#plane.ports) {
      this.#started.push(() => port.drain(0));
      try {
        await port.prepare();
      } catch (error) {
        throw portError(port.name, error);
      }
    }
    void this.#plane.verifier.start();
    await this.#firstPolicies.promise;
    this.#report();
    const places = this.#settings.ports.flatMap((settings, port) =>
      kafkaSockets(settings).map((_, place) => ({ port: this.#plane.ports[port], place })),
    );
    return (socket, index) => {
      const at = places[index];
      if (at?.port === undefined) socket.destroy();
      else at.port.take(socket, at.place);
    };
  }

  take(message: ToWorker): void {
    switch (message.kind) {
      case 'policy':
        return this.#piece(message);
      case 'joined':
        return this.#directory.answered(message.question, message.answer);
      case 'audited':
        return this.#audit.received(message);
      case 'audit-status':
        return this.#audit.learn(message.status);
      case 'measure':
        void this.#metrics
          .snapshot()
          .then((snapshot) => this.#link.send({ kind: 'measured', question: message.question, snapshot }));
        return;
      case 'start':
      case 'drain':
    }
  }

  /** The supervisor is gone. */
  disconnected(): void {
    this.#audit.disconnected();
    this.#directory.disconnected();
  }

  /** Answers what is under way, writes the last entries, and tells the last counts. */
  async stop(timeoutMs: number, reason: string): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#plane.ports.map((port) => port.drain(timeoutMs)));
    await this.#plane.gate.close(reason);
    await this.#started.undo();
    this.#link.send({ kind: 'measured', question: 0, snapshot: await this.#metrics.snapshot() });
  }

  #piece({ revision, documents, last }: PolicyPiece): void {
    this.#documents.push(...documents);
    if (!last) return;
    this.#arrived += 1;
    const bundle = { revision, documents: this.#documents };
    this.#documents = [];
    const arrived = this.#arrived;
    inSlices(this.#unlessOutdone(assemblePolicies(bundle), arrived)).then(
      (policies) => {
        if (policies === null) return;
        this.#policies = policies;
        this.#plane.gate.policyChanged();
        this.#firstPolicies.resolve();
        this.#report();
      },
      (error: unknown) => {
        this.#logger.error(
          { revision, error: messageOf(error) },
          'a worker cannot assemble a revision that was checked',
        );
        this.#firstPolicies.reject(error instanceof Error ? error : new Error(messageOf(error)));
      },
    );
  }

  /** Ends with `null` where a later revision has arrived. */
  *#unlessOutdone(steps: Generator<void, PolicySet>, arrived: number): Generator<void, PolicySet | null> {
    for (;;) {
      if (this.#arrived !== arrived) return null;
      const step = steps.next();
      if (step.done === true) return step.value;
      yield;
    }
  }

  #report(): void {
    this.#link.send({
      kind: 'state',
      revision: this.#policies?.revision ?? null,
      ports: this.#plane.ports.map((port) => ({ name: port.name, ...port.status() })),
      issuers: this.#plane.verifier.status(),
    });
  }
}

/** Asks the supervisor which session a connection joins. */
class AskedDirectory implements SessionDirectory {
  readonly #link: WorkerLink;
  readonly #questions = new Map<number, PromiseWithResolvers<JoinAnswer>>();
  #asked = 0;
  #gone = false;

  constructor(link: WorkerLink) {
    this.#link = link;
  }

  join(request: JoinRequest): Promise<JoinAnswer> {
    if (this.#gone) return Promise.reject(gone());
    this.#asked += 1;
    const question = this.#asked;
    const asked = Promise.withResolvers<JoinAnswer>();
    this.#questions.set(question, asked);
    this.#link.send({ kind: 'join', question, request });
    return asked.promise;
  }

  leave(session: string): void {
    this.#link.send({ kind: 'leave', session });
  }

  answered(question: number, answer: JoinAnswer): void {
    this.#questions.get(question)?.resolve(answer);
    this.#questions.delete(question);
  }

  disconnected(): void {
    this.#gone = true;
    for (const asked of this.#questions.values()) asked.reject(gone());
    this.#questions.clear();
  }
}

function gone(): SluiceError<'gate-closed'> {
  return new SluiceError('gate-closed', 'The gateway is ending and takes no new connections.', { retriable: true });
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

function linkedLogger(link: WorkerLink, from: LogLevel): Logger {
  const at =
    (level: LogLevel) =>
    (fields: LogFields, message: string): void => {
      if (levels.indexOf(level) < levels.indexOf(from)) return;
      if (link.closed) process.stderr.write(`${JSON.stringify({ level, ...fields, msg: message })}\n`);
      else link.send({ kind: 'log', level, fields, message });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
