/**
 * `npm test`: runs the test files, each in a process of its own, and ends with one line, `N passed, N failed, N skipped`.
 *
 *   npm test                      unit tests and tests against real brokers
 *   npm test -- policy audit      only files whose path contains one of the words
 *   npm test -- --long            the long tests as well
 *   npm run test:long -- soak     only test/long/soak*
 *   npm test -- --verbose         every test by name, not only files and failures
 */
import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { reportFailed, reportFile, reportTotals } from './runner/report.ts';
import { type FileResult, runFile } from './runner/run-file.ts';
import { killMarked } from './runner/processes.ts';

interface Group {
  readonly name: string;
  readonly patterns: readonly string[];
  /** Files at a time. Each end-to-end file starts brokers, so those go one by one. */
  readonly concurrency: number;
  readonly fileTimeoutMs: number;
}

const minuteMs = 60_000;
const groups: readonly Group[] = [
  {
    name: 'unit',
    patterns: ['src/**/*.test.ts', 'harness/**/*.test.ts', 'scripts/**/*.test.ts', 'test/{wire,runner}/**/*.test.ts'],
    concurrency: 2,
    fileTimeoutMs: 3 * minuteMs,
  },
  { name: 'end to end', patterns: ['test/e2e/**/*.test.ts'], concurrency: 1, fileTimeoutMs: 10 * minuteMs },
];
const longGroup: Group = {
  name: 'long',
  patterns: ['test/long/**/*.test.ts'],
  concurrency: 1,
  // One of librdkafka's parts takes most of an hour on two cores.
  fileTimeoutMs: 180 * minuteMs,
};

process.chdir(new URL('..', import.meta.url).pathname);
const startedMs = performance.now();
const { values, positionals } = parseArgs({
  options: { long: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const runId = `${process.pid}-${Date.now()}`;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    killMarked(runId);
    console.log(`\nStopped by ${signal}.`);
    process.exit(130);
  });
}

const results: FileResult[] = [];
for (const [group, files] of plan()) {
  if (files.length === 0) continue;
  console.log(`\n── ${group.name}: ${files.length} file${files.length === 1 ? '' : 's'}`);
  results.push(...(await runGroup(group, files)));
}
reportFailed(results);
process.exitCode = reportTotals(results, performance.now() - startedMs);

/** The groups and the files that the arguments select; a file is in one group only. */
function plan(): readonly (readonly [Group, readonly string[]])[] {
  if (values.long && positionals.length > 0) {
    return [
      [longGroup, find(longGroup).filter((file) => positionals.some((word) => file.startsWith(`test/long/${word}`)))],
    ];
  }
  const chosen = values.long ? [...groups, longGroup] : groups;
  const selected = (file: string): boolean =>
    positionals.length === 0 || positionals.some((word) => file.includes(word));
  return chosen.map((group) => [group, find(group).filter(selected)] as const);
}

function find(group: Group): string[] {
  return globSync([...group.patterns]).toSorted();
}

async function runGroup(group: Group, files: readonly string[]): Promise<FileResult[]> {
  const done: FileResult[] = [];
  const waiting = files.entries();
  const worker = async (): Promise<void> => {
    for (const [index, file] of waiting) {
      if (group.concurrency === 1) console.log(`· ${file}`);
      const result = await runFile(file, `${runId}/${group.name}/${index}`, group.fileTimeoutMs);
      done.push(result);
      await reportFile(result, values.verbose);
    }
  };
  await Promise.all(Array.from({ length: group.concurrency }, worker));
  return done;
}
