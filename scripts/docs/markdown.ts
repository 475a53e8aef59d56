/** What a Markdown page claims about the project: the paths, links and commands it names. */

export type Claim =
  | { readonly kind: 'path'; readonly line: number; readonly path: string }
  | { readonly kind: 'link'; readonly line: number; readonly path: string; readonly anchor: string }
  | { readonly kind: 'npm-script'; readonly line: number; readonly script: string }
  | { readonly kind: 'command'; readonly line: number; readonly words: readonly [string, ...string[]] };

const topFolders = ['src', 'test', 'harness', 'demo', 'bench', 'scripts', 'docs', '.ci', 'bin', 'console'];
const fileName = /\.(ts|json|md|sh|yaml|yml)$/;

/** Reads links outside code, and paths and commands inside it: in ticks anywhere, in fences line by line. */
export function claimsOf(text: string): Claim[] {
  let fenced = false;
  return text.split('\n').flatMap((content, index) => {
    const line = index + 1;
    if (/^\s*(```|~~~)/.test(content)) {
      fenced = !fenced;
      return [];
    }
    if (fenced) return inCode(content.replace(/\s#.*$/, ''), line);
    const ticks = [...content.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => inCode(code, line));
    return [...ticks, ...linksIn(content.replace(/`[^`]*`/g, '`'), line)];
  });
}

function linksIn(content: string, line: number): Claim[] {
  return [...content.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^[a-z][a-z+.-]*:/i.test(target)) return [];
    const [path = '', anchor = ''] = target.split('#');
    return [{ kind: 'link', line, path, anchor }];
  });
}

function inCode(code: string, line: number): Claim[] {
  const paths = code.split(/[\s"'`=,;()]+/).filter(isProjectPath);
  const scripts = [...code.matchAll(/\bnpm run ([\w:-]+)/g)];
  const commands = [...code.matchAll(/(?:^|[\s/])sluice ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/g)];
  return [
    ...paths.map((path): Claim => ({ kind: 'path', line, path: path.replace(/^\.\//, '') })),
    ...scripts.map(([, script = '']): Claim => ({ kind: 'npm-script', line, script })),
    ...commands.map(([, first = '', second]): Claim => {
      return { kind: 'command', line, words: second === undefined ? [first] : [first, second] };
    }),
  ];
}

/** `src/lib/`, `.ci/run`, `policy/policy.ts`; not `topic/payments`, nor a pattern with a place to fill in (NAME, <name>). */
function isProjectPath(word: string): boolean {
  const segments = word.replace(/^\.\//, '').split('/');
  if (segments.length < 2 || /[<>…$:]/.test(word)) return false;
  if (segments.some((segment) => /^[A-Z][A-Z_]+(\.|$)/.test(segment) && !segment.endsWith('.md'))) return false;
  return topFolders.includes(segments[0] ?? '') || (fileName.test(word) && !word.startsWith('/'));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}
