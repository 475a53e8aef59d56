/** The workers of a gateway that runs as a process of its own, as its log and its metrics tell of them. */
import type { GatewayProcess } from './gateway-process.ts';

/** Worker numbers to process ids, of all that ever came up, in the order in which they did. */
export function workerPids(gateway: GatewayProcess): Map<number, number> {
  const lines = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('a worker is up'));
  return new Map(
    lines.map((line) => JSON.parse(line) as { worker: number; pid: number }).map(({ worker, pid }) => [worker, pid]),
  );
}

/** Values of the metrics whose line matches. */
export async function metric(gateway: GatewayProcess, pattern: RegExp): Promise<number[]> {
  const text = await (await fetch(`${gateway.telemetry}/metrics`)).text();
  return text.split('\n').flatMap((line) => (pattern.test(line) ? [Number(line.split(' ').at(-1))] : []));
}

export async function workersUp(gateway: GatewayProcess): Promise<number> {
  return (await metric(gateway, /^sluice_workers_up /))[0] ?? 0;
}

export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
