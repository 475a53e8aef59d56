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
 * process at once; SIGHUP reads the policies again; SIGUSR2 restarts the workers one after the other; an error that nobody caught is logged, what can be closed is
 * closed, and the code is 70.
 */
export function superviseGateway(gateway: Stoppable, logger: Logger, handle: ProcessHandle = process): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const listeners: (readonly [string, (argument: unknown) => void])[] = [];
    const listen = (event: string, listener: (argument: unknown) => void): void => {
      listeners.push([event, listener]);
      handle.on(event, listener);
    };
    const finish = (code: number): void => {
      for (const [event, listener] of listeners) handle.off(event, listener);
      resolve(code);
    };
    for (const [signal, number] of Object.entries(signalNumbers)) {
      listen(signal, () => {
        if (stopping) {
          logger.warn({ signal }, 'second signal: ending at once, requests in flight are cut');
          return handle.exit(exitCodes.signalBase + number);
        }
        stopping = true;
        logger.info(
          { signal },
          'stopping: no new connections, requests in flight are finished; a second signal ends at once',
        );
        gateway.stop(signal).then(
          () => finish(exitCodes.stopped),
          (error: unknown) => {
            logger.error({ error: messageOf(error) }, 'the gateway did not stop cleanly');
            finish(exitCodes.internalError);
          },
        );
      });
    }
    listen('SIGHUP', () => {
      logger.info({}, 'SIGHUP: reading the policies again');
      gateway
        .reloadPolicies()
        .catch((error: unknown) => logger.error({ error: messageOf(error) }, 'the policies could not be read again'));
    });
    listen('SIGUSR2', () => {
      if (stopping) return;
      logger.info({}, 'SIGUSR2: restarting the workers');
      gateway
        .restartWorkers()
        .catch((error: unknown) => logger.error({ error: messageOf(error) }, 'the workers could not be restarted'));
    });
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      listen(event, (thrown) => {
        logger.error(
          { error: messageOf(thrown), stack: stackOf(thrown) },
          `${event}: a defect in the gateway; ending, so that nothing runs on in an unknown state`,
        );
        if (stopping) return handle.exit(exitCodes.internalError);
        stopping = true;
        const timer = setTimeout(() => handle.exit(exitCodes.internalError), emergencyStopMs);
        gateway
          .stop(event)
          .finally(() => clearTimeout(timer))
          .then(
            () => finish(exitCodes.internalError),
            () => finish(exitCodes.internalError),
          );
      });
    }
  });
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? '') : '';
}
