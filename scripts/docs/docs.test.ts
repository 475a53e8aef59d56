import { deepEqual } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Project, commandsIn, problemsInPage } from './pages.ts';
import { problemsInText } from './tree.ts';

describe('pages', () => {
  let project: Project;

  before(async () => {
    const root = await mkdtemp(join(tmpdir(), 'sluice-docs-'));
    await mkdir(join(root, 'src/policy'), { recursive: true });
    await mkdir(join(root, 'docs'));
    await writeFile(join(root, 'src/policy/policy.ts'), '');
    await writeFile(join(root, 'docs/OTHER.md'), '# First part\n\n## The `second`, longer part\n');
    const commands = new Map([
      ['', new Set(['serve', 'policy'])],
      ['policy', new Set(['test'])],
      ['serve', new Set<string>()],
    ]);
    project = { root, scripts: new Set(['demo']), subcommands: (words) => commands.get(words.join(' ')) ?? null };
  });

  after(() => rm(project.root, { recursive: true }));

  const messages = (text: string): string[] =>
    problemsInPage(project, 'docs/PAGE.md', text).map(({ line, message }) => `${line}: ${message}`);

  test('name paths that exist, from the root, from src or beside the page', () => {
    deepEqual(messages('`src/policy/policy.ts`, `policy/policy.ts`, `src/policy/`, `src/*/*.ts`'), []);
    deepEqual(messages('fine\n`src/policy/gone.ts` and `policy/gone.ts`'), [
      '2: `src/policy/gone.ts` does not exist',
      '2: `policy/gone.ts` does not exist',
    ]);
    deepEqual(messages('```sh\nnode src/gone.ts\n```'), ['2: `src/gone.ts` does not exist']);
    deepEqual(messages('`src/gone/*.ts`'), ['1: `src/gone/*.ts` does not exist']);
  });

  test('may speak of names that are no paths, and of places to fill in', () => {
    deepEqual(
      messages('`topic/payments`, `read/write`, `src/ports/NAME/NAME.ts`, `src/<part>/`, `/etc/sluice/sluice.yaml`'),
      [],
    );
  });

  test('link to pages and headings that exist', () => {
    deepEqual(
      messages(
        '[a](OTHER.md) [b](OTHER.md#first-part) [c](OTHER.md#the-second-longer-part) [d](https://example.com/x)',
      ),
      [],
    );
    deepEqual(messages('[a](GONE.md) [b](OTHER.md#third)'), [
      '1: the link to GONE.md leads nowhere',
      '1: OTHER.md has no heading #third',
    ]);
  });

  test('name npm scripts and commands that exist', () => {
    deepEqual(
      messages(
        '`npm run demo -- --once`\n```\nsluice serve settings\nbin/sluice policy test\n```'.replace('bin/', './'),
      ),
      [],
    );
    deepEqual(messages('`npm run gone`, `sluice fly`, `sluice policy fly`'), [
      '1: package.json has no script `gone`',
      '1: there is no command `sluice fly`',
      '1: there is no command `sluice policy fly`',
    ]);
  });

  test('are held against the commands of a help text', () => {
    const help =
      'Usage: sluice\n\nOptions:\n  -h, --help  help\n\nCommands:\n  init [options]  files\n  serve           run\n                  it\n\nExamples:\n  x\n';
    deepEqual([...commandsIn(help)], ['init', 'serve']);
  });
});

describe('files', () => {
  /** In pieces, so that this file passes the check itself. */
  const pieced = (...pieces: string[]): string => pieces.join('');
  const found = (text: string): string[] => problemsInText('a', text).map(({ message }) => message);

  test('name no path of one machine', () => {
    deepEqual(found(pieced("const a = '/ho", "me/someone/x';")), ['names a path of one machine']);
    deepEqual(found(pieced('see /wo', 'rk/shared')), ['names a path of one machine']);
    deepEqual(found('src/work/a.ts and https://example.com/home/a and $HOME/x and ./root/a'), []);
  });

  test('name no registry', () => {
    deepEqual(found(pieced('https://registry.npm', 'js.org/x')), ['names a registry']);
    deepEqual(found(pieced('      "reso', 'lved": "https://example.com/x.tgz",')), [
      'names a download address in the lock file (run scripts/lock.sh)',
    ]);
  });
});
