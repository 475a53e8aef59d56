/**
 * Who may import whom (docs/ARCHITECTURE.md shows the same as a picture). Type imports count like any other.
 *
 * A part is a folder of `src/`. Its door is the file named after it; everything else in it is private. `lib` and
 * `model` have no single door: each of their files is public.
 */
import type { IFlattenedRuleSet, IForbiddenRuleType } from 'dependency-cruiser';

export interface Part {
  /** Folder below `src/`. */
  readonly name: string;
  /** The parts it may import, besides itself. */
  readonly imports: readonly string[];
  readonly doors: 'every file' | readonly string[];
  /** Node's own modules it must do without: `all`, or those that reach sockets or files. */
  readonly without?: 'all' | 'sockets and files' | 'sockets';
}

function part(name: string, imports: readonly string[], without?: Part['without']): Part {
  const door = `src/${name}/${name.slice(name.lastIndexOf('/') + 1)}.ts`;
  return { name, imports, doors: [door], ...(without && { without }) };
}

const persistent = ['model', 'lib', 'store'];
const control = ['identity', 'policy', 'approval', 'audit', 'recording', 'store', 'model', 'lib'];

/** In the order of the page: a part is added here, and nowhere else, before its folder is. */
export const parts: readonly Part[] = [
  { name: 'model', imports: [], doors: 'every file', without: 'all' },
  { name: 'lib', imports: [], doors: 'every file' },
  part('config', ['model', 'lib']),
  part('telemetry', ['model', 'lib']),
  part('policy', ['model', 'lib'], 'sockets and files'),
  part('masking', ['model', 'lib'], 'sockets and files'),
  part('store', ['model', 'lib']),
  part('identity', persistent),
  part('approval', persistent),
  part('audit', persistent),
  part('recording', persistent),
  part('gate', ['policy', 'identity', 'approval', 'audit', 'recording', 'model', 'lib'], 'sockets'),
  { ...part('ports/kafka/protocol', ['lib'], 'sockets and files'), doors: protocolDoors() },
  part('ports/kafka/replay', ['ports/kafka/protocol', 'recording', 'model', 'lib']),
  part('ports/kafka', ['ports/kafka/protocol', 'gate', 'identity', 'masking', 'recording', 'model', 'lib']),
  part('process', ['config', 'telemetry', 'lib']),
  part('sts', control),
  part('server', control),
  { name: 'cli', imports: ['config', 'policy', 'audit', 'recording', 'ports/kafka/replay', 'lib', 'model'], doors: [] },
];

/** The message types that the codec generates are public beside its door. */
function protocolDoors(): string[] {
  return ['src/ports/kafka/protocol/protocol.ts', 'src/ports/kafka/protocol/messages.gen.ts'];
}

/** The composition root may open every door; only the command line starts it, by its first file. */
const root = 'src/main.ts';
const rootFolder = 'src/main/';
const rootImporters: readonly string[] = ['cli'];

const testFile = String.raw`\.test\.ts$`;
/** What several tests share: a file `testing.ts` or a folder `testing/` inside a part. */
const testing = String.raw`^src/.*/testing(/|\.ts$)`;
const test: string[] = [testFile, testing];
const sockets = ['net', 'tls', 'http', 'https', 'http2', 'dgram', 'dns', 'child_process', 'cluster', 'worker_threads'];
const files = ['fs', 'sqlite'];

/** The part a file of `src/` belongs to; null for the composition root and for a file that is in no known part. */
function partOf(path: string): Part | null {
  const candidates = parts.filter(({ name }) => path.startsWith(`src/${name}/`));
  return candidates.reduce<Part | null>((best, one) => (best && best.name.length > one.name.length ? best : one), null);
}

export function isPlaced(path: string): boolean {
  return (
    path === root ||
    path === 'src/main.test.ts' ||
    path.startsWith(rootFolder) ||
    !path.startsWith('src/') ||
    partOf(path) !== null
  );
}

export const ruleSet: IFlattenedRuleSet = {
  forbidden: [
    ...parts.flatMap((one) => [importsOf(one), ...doorOf(one), ...withoutOf(one)]),
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Files must not import each other in a circle, types included.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      comment: 'The product must not import tests, the harness, the demo, benchmarks or scripts.',
      from: { path: '^src/', pathNot: test },
      to: { path: '^(test|harness|demo|bench|scripts)/' },
    },
    {
      name: 'tests-are-not-imported',
      severity: 'error',
      comment: 'What a test file offers to others belongs in a file of its own.',
      from: {},
      to: { path: testFile },
    },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      comment: 'What tests share must not become part of the product.',
      from: { path: '^src/', pathNot: test },
      to: { path: testing },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'The import leads nowhere.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'listed-in-package-json',
      severity: 'error',
      comment: 'A dependency of a dependency is not ours: list it in package.json or do without.',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-development-dependencies',
      severity: 'error',
      comment: 'The product must run without devDependencies.',
      from: { path: '^src/', pathNot: test },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm'], pathNot: 'node_modules/@types/' },
    },
  ],
};

function importsOf(one: Part): IForbiddenRuleType {
  const allowed = [insideOnly(one), ...one.imports.map((name) => inside(name))];
  const mayStart = rootImporters.includes(one.name);
  const listed = [...one.imports, ...(mayStart ? ['main'] : [])];
  return {
    name: `${one.name}-imports`,
    severity: 'error',
    comment: `${one.name} may import ${listed.length === 0 ? 'no other part' : `only ${listed.join(', ')}`}.`,
    from: ownedBy(one),
    to: {
      path: '^src/',
      pathNot: [...allowed, ...(mayStart ? [`^${root}$`] : [])],
    },
  };
}

/** Files outside a part reach it through its door only; tests outside `src/`, the harness and scripts may look inside. */
function doorOf(one: Part): IForbiddenRuleType[] {
  if (one.doors === 'every file') return [];
  return [
    {
      name: `${one.name}-door`,
      severity: 'error',
      comment: `Import ${one.doors[0] ?? 'nothing'} instead: the rest of ${one.name} is private to its folder.`,
      from: { path: '^src/', pathNot: inside(one.name) },
      to: { ...ownedBy(one), pathNot: [...nested(one), ...one.doors.map((door) => `^${door}$`)] },
    },
  ];
}

function withoutOf(one: Part): IForbiddenRuleType[] {
  if (one.without === undefined) return [];
  const names = one.without === 'sockets' ? sockets : [...sockets, ...files];
  const from = { ...ownedBy(one), pathNot: [...nested(one), ...test] };
  const rule = { name: `${one.name}-purity`, severity: 'error' as const, from };
  if (one.without === 'all') {
    const dependencyTypes = ['core' as const, 'npm' as const, 'npm-dev' as const];
    return [{ ...rule, comment: `${one.name} imports nothing.`, to: { dependencyTypes } }];
  }
  return [
    {
      ...rule,
      comment: `${one.name} does without ${one.without}.`,
      to: { dependencyTypes: ['core'], path: `^(node:)?(${names.join('|')})(/|$)` },
    },
  ];
}

function ownedBy(one: Part): { path: string; pathNot: string[] } {
  return { path: inside(one.name), pathNot: nested(one) };
}

function nested(one: Part): string[] {
  return parts.filter(({ name }) => name.startsWith(`${one.name}/`)).map(({ name }) => inside(name));
}

/** A part within it that it may not import is not its own. */
function insideOnly(one: Part): string {
  const others = parts
    .filter(({ name }) => name.startsWith(`${one.name}/`) && !one.imports.includes(name))
    .map(({ name }) => `${name.slice(one.name.length + 1)}/`);
  return others.length === 0 ? inside(one.name) : `${inside(one.name)}(?!${others.join('|')})`;
}

function inside(name: string): string {
  return `^src/${name}/`;
}
