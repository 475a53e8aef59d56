/** Every path, link, script and command that a page names exists; no file names a machine's paths or a registry. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemsInPage, readProject } from './docs/pages.ts';
import { problemsInTree, projectFiles } from './docs/tree.ts';

const root = new URL('..', import.meta.url).pathname;
const files = projectFiles(root);
const pages = files.filter((file) => file.endsWith('.md'));
const project = readProject(root);
const problems = [
  ...pages.flatMap((file) => problemsInPage(project, file, readFileSync(join(root, file), 'utf8'))),
  ...problemsInTree(root, files),
];
for (const { file, line, message } of problems) console.log(`${file}:${line}: ${message}`);
if (pages.length === 0) console.log('No page was read.');
console.log(`${pages.length} pages and ${files.length} files read, ${problems.length} problems`);
process.exitCode = pages.length > 0 && problems.length === 0 ? 0 : 1;
