/** Runs one test file in a process of its own, within a bounded time, and says what came of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { resolve } from 'node:path';
import { findMarked, killMarked, markVariable } from './processes.ts';

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly durationMs: number;
  /** Failing tests by name, and what went wrong with the file as a whole. */
  readonly failures: readonly string[];
  /** What node's runner told, for a reporter. */
  readonly events: readonly TestEvent[];
}

/** Processes of a file may take this long to end after it, before they count as left behind. */
const graceMs = 3_000;

export async function runFile(file: string, mark: string, timeoutMs: number): Promise<FileResult> {
  const startedMs = performance.now();
  let timedOut = false;
  const watchdog = setTimeout(() => {
    timedOut = true;
    killMarked(mark);
  }, timeoutMs);
  const events: TestEvent[] = [];
  const stream = run({
    files: [resolve(file)],
    isolation: 'process',
    concurrency: false,
    env: { ...process.env, [markVariable]: mark },
  });
  for await (const event of stream as AsyncIterable<TestEvent>) events.push(event);
  clearTimeout(watchdog);

  const troubles: string[] = [];
  if (timedOut) troubles.push(`took longer than ${timeoutMs / 1000} s and was stopped`);
  const left = await endLeftBehind(mark);
  if (left.length > 0) troubles.push(`left processes running: ${left.join('; ')}`);
  return summarise(file, events, troubles, performance.now() - startedMs);
}

async function endLeftBehind(mark: string): Promise<string[]> {
  for (let waitedMs = 0; waitedMs < graceMs && findMarked(mark).length > 0; waitedMs += 100) await sleep(100);
  return killMarked(mark).map(({ pid, command }) => `${pid} ${command}`);
}

/** Counts come from the file's own summary; a file that dies, or holds no test, has none and fails. */
function summarise(
  file: string,
  events: readonly TestEvent[],
  troubles: readonly string[],
  durationMs: number,
): FileResult {
  let counts = { tests: 0, passed: 0, skipped: 0, todo: 0 };
  let success = true;
  const failures: string[] = [...troubles];
  for (const event of events) {
    if (event.type === 'test:summary') {
      success &&= event.data.success;
      if (event.data.file !== undefined) counts = event.data.counts;
    } else if (event.type === 'test:fail' && isOwnFailure(event.data)) {
      failures.push(event.data.name === resolve(file) ? 'the file itself failed' : event.data.name);
    }
  }
  if (success && counts.tests === 0) failures.push('holds no test');
  const failedTests = counts.tests - counts.passed - counts.skipped - counts.todo;
  return {
    file,
    passed: counts.passed,
    // A file that left processes, died or failed in a hook has failed even where each of its tests passed.
    failed: Math.max(failedTests + troubles.length, failures.length, success ? 0 : 1),
    skipped: counts.skipped + counts.todo,
    durationMs,
    failures,
    events,
  };
}

/** Leaves out suites that failed only because a test inside them did, and tests that are marked as still to do. */
function isOwnFailure(failed: { todo?: string | boolean | undefined; details: { error: Error } }): boolean {
  const { error } = failed.details;
  if (failed.todo !== undefined && failed.todo !== false) return false;
  return !('failureType' in error && error.failureType === 'subtestsFailed');
}
