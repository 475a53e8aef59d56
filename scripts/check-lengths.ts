/** A file written by hand has at most 400 lines; tests and generated files may have more. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const linesMax = 400;
const root = new URL('..', import.meta.url).pathname;
const files = globSync('{src,harness,demo,bench,test,scripts}/**/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts') && !file.endsWith('.gen.ts'),
);
const lengths = files.map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }));
const tooLong = lengths.filter(({ lines }) => lines > linesMax);
for (const { file, lines } of tooLong) console.log(`${file}: ${lines} lines; split off its second subject`);
const longest = lengths.reduce((most, { lines }) => Math.max(most, lines), 0);
console.log(`${files.length} files, the longest of ${longest} lines, ${tooLong.length} above ${linesMax}`);
process.exitCode = files.length > 0 && tooLong.length === 0 ? 0 : 1;
