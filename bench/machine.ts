/** The machine: what it is, which core does what, and what its processes cost. Linux only: everything is in /proc. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { SluiceError } from '../src/lib/errors.ts';

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMB: number;
  readonly kernel: string;
  readonly node: string;
}

/** What a process and all it started has used so far. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly residentMB: number;
  readonly descriptors: number;
}

/** Load and broker share one core, so that the proxy has the other to itself. */
export const loadCore = 0;
export const proxyCore = 1;

/** Ticks in /proc; every Linux that Node runs on has 100 a second. */
const ticksPerSecond = 100;
const bytesPerMB = 1e6;

export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    // Not what this process may use: it is pinned to one of them.
    cores: cpus().length,
    memoryMB: Math.round(totalmem() / bytesPerMB),
    kernel: release(),
    node: process.version,
  };
}

/** Puts this process, and with it all that it starts from now on, on the load's core. @throws SluiceError `taskset-missing`, `one-core` */
export function moveToLoadCore(): void {
  if (cpus().length < 2)
    throw new SluiceError('one-core', 'The benchmarks need two cores: one for the load and one for the proxy.');
  try {
    execFileSync('taskset', ['-a', '-c', '-p', String(loadCore), String(process.pid)], { stdio: 'pipe' });
  } catch (cause) {
    throw new SluiceError(
      'taskset-missing',
      'Processes cannot be pinned: taskset failed. Install it (apt-get install util-linux).',
      { cause },
    );
  }
}

/** The command that runs a program on the proxy's core. */
export function onProxyCore(command: string, args: readonly string[]): { command: string; args: string[] } {
  return { command: 'taskset', args: ['-c', String(proxyCore), command, ...args] };
}

/** The command that runs a program on every core, the load's too: for what has several processes. */
export function onAllCores(command: string, args: readonly string[]): { command: string; args: string[] } {
  return { command: 'taskset', args: ['-c', `0-${cpus().length - 1}`, command, ...args] };
}

interface ProcessStat {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly ticks: number;
  readonly residentPages: number;
}

/** The harness starts every process under a shell that ends with it: that is the harness's cost. */
const guardName = 'sh';

/** @returns zeros for a process that is gone */
export function usageOf(pid: number): Usage {
  const tree = treeOf(pid).filter(({ name }) => name !== guardName);
  const sum = (value: (stat: ProcessStat) => number): number => tree.reduce((total, stat) => total + value(stat), 0);
  return {
    cpuSeconds: sum(({ ticks }) => ticks) / ticksPerSecond,
    residentMB: (sum(({ residentPages }) => residentPages) * 4_096) / bytesPerMB,
    descriptors: sum((stat) => descriptorsOf(stat.pid)),
  };
}

/** The process and its descendants. */
function treeOf(pid: number): ProcessStat[] {
  const all = readdirSync('/proc').flatMap((name) => {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    return stat === null ? [] : [stat];
  });
  const known = new Set([pid]);
  for (let before = 0; before !== known.size;) {
    before = known.size;
    for (const stat of all) if (known.has(stat.parent)) known.add(stat.pid);
  }
  return all.filter((stat) => known.has(stat.pid));
}

/** proc(5): fields from the third on stand behind the name in parentheses; user and system time cover every thread. */
function statOf(pid: number): ProcessStat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const at = (field: number): number => fields[field - 3] ?? 0;
    return {
      pid,
      name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')),
      parent: Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]),
      ticks: at(14) + at(15) + at(16) + at(17),
      residentPages: at(24),
    };
  } catch {
    return null; // it ended in the meantime
  }
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** CPU seconds that all cores were busy so far, time stolen by the hypervisor included. */
export function busySeconds(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}
