/** Whether something undocumented works on this Node: tried on a real connection of this machine to itself. */
import { type AddressInfo, type Socket, createServer } from 'node:net';

/** Long, for a machine that is busy when the gateway starts. */
const trialTimeoutMs = 15_000;

export type Finish = (works: boolean) => void;

/** The two ends of the trial. Whichever knows how it went says so by `finish`; what comes later is ignored. */
export interface Trial {
  /** What it throws or rejects with says that it does not work. @param socket accepted, paused and unread */
  accepted(socket: Socket, finish: Finish): Promise<void> | void;
  /** Dials the port at 127.0.0.1. @returns the socket */
  dialled(port: number, finish: Finish): Socket;
}

/** False also where either end fails, or nothing is said in time. Leaves no socket behind. */
export function tryOnLoopback(trial: Trial): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    const server = createServer({ pauseOnConnect: true });
    const ends: Socket[] = [];
    const finish: Finish = (works) => {
      clearTimeout(timer);
      server.close();
      for (const end of ends) end.destroy();
      resolve(works);
    };
    const add = (end: Socket): void => {
      ends.push(end);
      end.on('error', () => finish(false));
    };
    const timer = setTimeout(() => finish(false), trialTimeoutMs);
    server.once('error', () => finish(false));
    server.once('connection', (accepted) => {
      add(accepted);
      const going = async (): Promise<void> => trial.accepted(accepted, finish);
      going().catch(() => finish(false));
    });
    server.listen(0, '127.0.0.1', () => add(trial.dialled((server.address() as AddressInfo).port, finish)));
  });
}
