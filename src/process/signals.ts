/** What the process does when it is told to stop, to reload, or when something throws that nobody caught. */
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

export interface Stoppable {
  /** Drains within its own time limit; resolves when everything is closed. */
  stop(reason: string): Promise<void>;
  reloadPolicies(): Promise<unknown>;
  /** Nothing where there are no workers. */
  restartWorkers(): Promise<unknown>;
}

/** Exit codes of a gateway that was running. */
const exitCodes: { readonly stopped: 0; readonly internalError: 70; readonly signalBase: 128 } = {
  stopped: 0,
  internalError: 70,
  signalBase: 128,
};

const signalNumbers = { SIGINT: 2, SIGTERM: 15 } as const;
/** After an error nobody caught, how long the audit log has to be closed properly. */
const emergencyStopMs = 3_000;

export interface ProcessHandle {
  on(event: string, listener: (argument: unknown) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
}

/**
 * Resolves with the exit code once the gateway has stopped: SIGTERM and SIGINT drain it, a second one ends the
 * process at once; SIGHUP reads the policies again; SIGUSR2 restarts the workers one after the other; an error that
 * nobody caught is logged, what can be closed is closed, and the code is 70.
 */
export function superviseGateway(gateway: Stoppable, logger: Logger, handle: ProcessHandle = process): Promise<number> {
  return new Promise((resolve) => new Supervision(gateway, logger, handle, resolve).begin());
}

class Supervision {
  readonly #gateway: Stoppable;
  readonly #logger: Logger;
  readonly #handle: ProcessHandle;
  readonly #ended: (code: number) => void;
  readonly #listeners: (readonly [string, (argument: unknown) => void])[] = [];
  #stopping = false;

  constructor(gateway: Stoppable, logger: Logger, handle: ProcessHandle, ended: (code: number) => void) {
    this.#gateway = gateway;
    this.#logger = logger;
    this.#handle = handle;
    this.#ended = ended;
  }

  begin(): void {
    for (const [signal, number] of Object.entries(signalNumbers))
      this.#listen(signal, () => this.#drain(signal, number));
    this.#listen('SIGHUP', () => this.#reload());
    this.#listen('SIGUSR2', () => this.#restart());
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      this.#listen(event, (thrown) => this.#emergency(event, thrown));
    }
  }

  #listen(event: string, listener: (argument: unknown) => void): void {
    this.#listeners.push([event, listener]);
    this.#handle.on(event, listener);
  }

  #finish(code: number): void {
    for (const [event, listener] of this.#listeners) this.#handle.off(event, listener);
    this.#ended(code);
  }

  #drain(signal: string, number: number): void {
    if (this.#stopping) {
      this.#logger.warn({ signal }, 'second signal: ending at once, requests in flight are cut');
      this.#handle.exit(exitCodes.signalBase + number);
      return;
    }
    this.#stopping = true;
    this.#logger.info(
      { signal },
      'stopping: no new connections, requests in flight are finished; a second signal ends at once',
    );
    this.#gateway.stop(signal).then(
      () => this.#finish(exitCodes.stopped),
      (error: unknown) => {
        this.#logger.error({ error: messageOf(error) }, 'the gateway did not stop cleanly');
        this.#finish(exitCodes.internalError);
      },
    );
  }

  #reload(): void {
    this.#logger.info({}, 'SIGHUP: reading the policies again');
    this.#gateway.reloadPolicies().catch((error: unknown) => {
      this.#logger.error({ error: messageOf(error) }, 'the policies could not be read again');
    });
  }

  #restart(): void {
    if (this.#stopping) return;
    this.#logger.info({}, 'SIGUSR2: restarting the workers');
    this.#gateway.restartWorkers().catch((error: unknown) => {
      this.#logger.error({ error: messageOf(error) }, 'the workers could not be restarted');
    });
  }

  #emergency(event: string, thrown: unknown): void {
    this.#logger.error(
      { error: messageOf(thrown), stack: stackOf(thrown) },
      `${event}: a defect in the gateway; ending, so that nothing runs on in an unknown state`,
    );
    if (this.#stopping) {
      this.#handle.exit(exitCodes.internalError);
      return;
    }
    this.#stopping = true;
    const timer = setTimeout(() => this.#handle.exit(exitCodes.internalError), emergencyStopMs);
    const end = (): void => {
      clearTimeout(timer);
      this.#finish(exitCodes.internalError);
    };
    this.#gateway.stop(event).then(end, end);
  }
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? '') : '';
}
