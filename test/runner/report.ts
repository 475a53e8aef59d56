/** What the runner prints: a line per file, failures in full, and the totals as the very last line. */
import { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';
import type { TestEvent } from 'node:test/reporters';
import type { FileResult } from './run-file.ts';

/** One line per file with what its tests chose to tell (`t.diagnostic`); a failing file, or every one with `verbose`, test by test. */
export async function reportFile(result: FileResult, verbose: boolean): Promise<void> {
  const failed = result.failed > 0;
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
  const counts = `${result.passed} passed${failed ? `, ${result.failed} failed` : ''}${skipped}`;
  console.log(`${failed ? '✖' : '✔'} ${result.file}  ${counts}  ${seconds(result.durationMs)}`);
  if (failed || verbose) {
    await printEvents(result.events);
    return;
  }
  for (const event of result.events) {
    if (event.type === 'test:diagnostic' && event.data.file !== undefined) console.log(`    ${event.data.message}`);
  }
}

/** What failed, once more, where a reader of a long log looks for it. */
export function reportFailed(results: readonly FileResult[]): void {
  const failed = results.filter((result) => result.failed > 0);
  if (failed.length === 0) return;
  console.log('\nFailed:');
  for (const { file, failures } of failed) {
    for (const failure of failures) console.log(`  ✖ ${file} > ${failure}`);
  }
}

/** Prints the totals and returns the exit code: 0 only where something ran and nothing failed. */
export function reportTotals(results: readonly FileResult[], durationMs: number): 0 | 1 {
  const sum = (count: (result: FileResult) => number): number => results.reduce((total, one) => total + count(one), 0);
  const passed = sum((result) => result.passed);
  const failed = sum((result) => result.failed);
  const ran = passed + failed > 0;
  console.log(
    `\nFiles: ${results.length}, in ${seconds(durationMs)}${ran ? '' : '; no test ran, which counts as a failure'}`,
  );
  console.log(`${passed} passed, ${failed} failed, ${sum((result) => result.skipped)} skipped`);
  return ran && failed === 0 ? 0 : 1;
}

/** Node's own reporter for people, without the totals, which would be this one file's. */
async function printEvents(events: readonly TestEvent[]): Promise<void> {
  const shown = events.filter((event) => event.type !== 'test:diagnostic' || event.data.file !== undefined);
  for await (const text of Readable.from(shown).compose(new spec())) process.stdout.write(String(text));
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
