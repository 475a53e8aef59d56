/** Finds and ends what a test file left running: every process it started carries the file's mark in its environment. */
import { readFileSync, readdirSync } from 'node:fs';

/** Name of the environment variable that carries the mark. */
export const markVariable: string = 'SLUICE_TEST_MARK';

export interface MarkedProcess {
  readonly pid: number;
  /** Its command line, shortened. */
  readonly command: string;
}

/**
 * Living processes whose mark begins with `mark`, this one excepted. Reads /proc: where there is none (macOS), the
 * answer is empty and nothing is reported as left.
 */
export function findMarked(mark: string): MarkedProcess[] {
  const wanted = `${markVariable}=${mark}`;
  const found: MarkedProcess[] = [];
  for (const entry of listProcesses()) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = readProcessFile(pid, 'environ');
    if (!environment.split('\0').some((line) => line === wanted || line.startsWith(`${wanted}/`))) continue;
    // A zombie has ended already and waits only for its parent; its command line is empty.
    const command = readProcessFile(pid, 'cmdline').replaceAll('\0', ' ').trim();
    if (command !== '') found.push({ pid, command: command.slice(0, 100) });
  }
  return found;
}

/** Ends them at once, without asking, and returns whom. */
export function killMarked(mark: string): MarkedProcess[] {
  const found = findMarked(mark);
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  return found;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function readProcessFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // ended in between, or another user's
  }
}
