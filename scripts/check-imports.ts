/** Holds the imports of the whole project against scripts/imports/rules.ts. */
import { findBreaches } from './imports/cruise.ts';

const { modules, dependencies, breaches } = await findBreaches(new URL('..', import.meta.url).pathname);
for (const { rule, from, to, comment } of breaches) console.log(`${rule}: ${from}${to && ` → ${to}`}\n    ${comment}`);
if (modules === 0) console.log('No module was read: is `typescript` (below 7) installed beside dependency-cruiser?');
console.log(`${modules} files with ${dependencies} imports, ${breaches.length} against the rules`);
process.exitCode = modules > 0 && breaches.length === 0 ? 0 : 1;
