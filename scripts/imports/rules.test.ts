/** Each rule is shown to hold: a tree that breaks it, planted in a temporary folder, and trees that are in order. */
import { deepEqual, equal } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Findings, findBreaches } from './cruise.ts';
import { parts, ruleSet } from './rules.ts';

type Tree = Readonly<Record<string, string>>;

const projectModules = fileURLToPath(new URL('../../node_modules', import.meta.url));

async function findingsIn(tree: Tree): Promise<Findings> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-imports-'));
  const previous = process.cwd();
  try {
    const manifest = { dependencies: { zod: '*' }, devDependencies: { kafkajs: '*' } };
    const files = { 'package.json': JSON.stringify(manifest), ...tree };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    await symlink(projectModules, join(folder, 'node_modules'));
    return await findBreaches(folder);
  } finally {
    process.chdir(previous);
    await rm(folder, { recursive: true });
  }
}

/** A tree of `from` importing `to`, and the names of the rules it breaks. */
async function broken(
  from: string,
  to: string,
  statement = "import type { A } from '%';\nexport type B = A;\n",
): Promise<string[]> {
  const path =
    to.startsWith('src/') || to.startsWith('harness/') ? `${'../'.repeat(from.split('/').length - 1)}${to}` : to;
  const tree: Record<string, string> = { [from]: statement.replace('%', path) };
  if (path !== to) tree[to] = 'export type A = 1;\nexport const a = 1;\n';
  const { breaches } = await findingsIn(tree);
  return [...new Set(breaches.map(({ rule }) => rule))].toSorted();
}

const valueImport = "import { a } from '%';\nexport const b = a;\n";
const door = (name: string): string => parts.find((one) => one.name === name)?.doors[0] ?? '';
const fileOf = (name: string): string =>
  name === 'lib' || name === 'model' ? `src/${name}/x.ts` : `src/${door(name).slice(4)}`;

describe('who may import whom', () => {
  for (const one of parts) {
    const others = parts.filter(({ name }) => name !== one.name && name !== 'cli');
    const refused = others.filter(({ name }) => !one.imports.includes(name));
    test(`${one.name} is refused every other part`, async () => {
      const imports = refused.map(
        ({ name }, index) => `import type { A as A${index} } from '${toRoot(one.name)}${fileOf(name)}';`,
      );
      const uses = refused.map((_, index) => `export type B${index} = A${index};`);
      const tree = Object.fromEntries(refused.map(({ name }) => [fileOf(name), 'export type A = 1;\n']));
      const { breaches } = await findingsIn({
        ...tree,
        [`src/${one.name}/inner.ts`]: [...imports, ...uses].join('\n'),
      });
      const caught = breaches.filter(({ rule }) => rule === `${one.name}-imports`).map(({ to }) => to);
      deepEqual(caught.toSorted(), refused.map(({ name }) => fileOf(name)).toSorted());
    });

    if (one.imports.length === 0) continue;
    test(`${one.name} may import what the design lists`, async () => {
      const imports = one.imports.map(
        (name, index) => `export type { A as A${index} } from '${toRoot(one.name)}${fileOf(name)}';`,
      );
      const tree = Object.fromEntries(one.imports.map((name) => [fileOf(name), 'export type A = 1;\n']));
      const { breaches, modules } = await findingsIn({ ...tree, [`src/${one.name}/inner.ts`]: imports.join('\n') });
      deepEqual(breaches, []);
      equal(modules, one.imports.length + 1);
    });
  }

  function toRoot(name: string): string {
    return '../'.repeat(name.split('/').length + 1);
  }
});

describe('doors', () => {
  const guarded = parts.filter(({ doors }) => doors !== 'every file');
  for (const { name } of guarded) {
    test(`src/main.ts is refused what is private to ${name}`, async () => {
      deepEqual(await broken('src/main.ts', `src/${name}/inner.ts`), [`${name}-door`]);
    });
  }

  test('a part that may import another is held to its door too', async () => {
    deepEqual(await broken('src/gate/gate.ts', 'src/policy/inner.ts'), ['policy-door']);
    deepEqual(await broken('src/ports/kafka/connection.ts', 'src/ports/kafka/protocol/schema.ts'), [
      'ports/kafka/protocol-door',
    ]);
  });

  test('generated message types are public', async () => {
    deepEqual(await broken('src/ports/kafka/connection.ts', 'src/ports/kafka/protocol/messages.gen.ts'), []);
  });

  test('tests, the harness, the demo and scripts may look inside', async () => {
    for (const from of ['test/e2e/a.ts', 'harness/a.ts', 'demo/a.ts', 'bench/a.ts', 'scripts/a.ts']) {
      deepEqual(await broken(from, 'src/policy/inner.ts'), [], from);
    }
  });

  test('the command line starts the composition root, and no other part does', async () => {
    deepEqual(await broken('src/cli/serve.ts', 'src/main.ts'), []);
    deepEqual(await broken('src/gate/gate.ts', 'src/main.ts'), ['gate-imports']);
  });
});

describe('purity', () => {
  test('the policy reads no file and opens no socket', async () => {
    deepEqual(await broken('src/policy/policy.ts', 'node:fs/promises', "import '%';\n"), ['policy-purity']);
    deepEqual(await broken('src/policy/policy.ts', 'net', "import '%';\n"), ['policy-purity']);
    deepEqual(await broken('src/policy/policy.ts', 'node:crypto', "import '%';\n"), []);
  });

  test('the codec and masking do not either; the gate sees no socket; the model imports nothing', async () => {
    deepEqual(await broken('src/ports/kafka/protocol/frames.ts', 'node:fs', "import '%';\n"), [
      'ports/kafka/protocol-purity',
    ]);
    deepEqual(await broken('src/masking/masking.ts', 'node:http', "import '%';\n"), ['masking-purity']);
    deepEqual(await broken('src/gate/gate.ts', 'node:tls', "import '%';\n"), ['gate-purity']);
    deepEqual(await broken('src/model/entry.ts', 'node:path', "import '%';\n"), ['model-purity']);
    deepEqual(await broken('src/model/entry.ts', 'zod', "import '%';\n"), ['model-purity']);
  });
});

describe('the whole tree', () => {
  test('has no cycle, not even of types', async () => {
    const { breaches } = await findingsIn({
      'src/policy/policy.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
      'src/policy/b.ts': "import type { A } from './policy.ts';\nexport type B = A;\n",
    });
    deepEqual([...new Set(breaches.map(({ rule }) => rule))], ['no-cycles']);
  });

  test('keeps tests, harness and demo out of the product, but not out of its unit tests', async () => {
    deepEqual(await broken('src/main.ts', 'harness/idp.ts', valueImport), ['src-stands-alone']);
    deepEqual(await broken('src/policy/policy.test.ts', 'harness/idp.ts', valueImport), []);
    deepEqual(await broken('src/lib/a.ts', 'src/lib/b.test.ts', valueImport), ['tests-are-not-imported']);
  });

  test('keeps what tests share to tests', async () => {
    deepEqual(await broken('src/policy/policy.ts', 'src/policy/testing/arbitrary.ts'), ['testing-is-for-tests']);
    deepEqual(await broken('src/policy/policy.ts', 'src/policy/testing.ts'), ['testing-is-for-tests']);
    deepEqual(await broken('src/policy/policy.test.ts', 'src/policy/testing/arbitrary.ts'), []);
    deepEqual(await broken('src/policy/testing/arbitrary.ts', 'kafkajs', "import '%';\n"), []);
  });

  test('resolves every import', async () => {
    deepEqual(await broken('src/lib/a.ts', './missing.ts', valueImport), ['resolvable']);
    deepEqual(await broken('src/lib/a.ts', 'no-such-package', valueImport), ['resolvable']);
  });

  test('takes from npm what package.json lists, and in the product only what it runs with', async () => {
    deepEqual(await broken('src/lib/a.ts', 'zod', "export { z } from '%';\n"), []);
    deepEqual(await broken('src/lib/a.ts', 'kafkajs', "import '%';\n"), ['no-development-dependencies']);
    deepEqual(await broken('src/lib/a.test.ts', 'kafkajs', "import '%';\n"), []);
    deepEqual(await broken('src/lib/a.ts', 'jose', "import '%';\n"), ['listed-in-package-json']);
  });

  test('has no file outside a known part', async () => {
    const { breaches } = await findingsIn({ 'src/utils/a.ts': 'export {};\n', 'src/loose.ts': 'export {};\n' });
    deepEqual(breaches.map(({ rule, from }) => `${rule} ${from}`).toSorted(), [
      'known-part src/loose.ts',
      'known-part src/utils/a.ts',
    ]);
  });

  test('is not taken as checked when nothing was read', async () => {
    equal((await findingsIn({ 'src/README.md': 'no code' })).modules, 0);
  });

  test('names every rule once', () => {
    const names = (ruleSet.forbidden ?? []).map(({ name }) => name);
    equal(new Set(names).size, names.length);
  });
});
