/** Where the gateway's CPU time goes under load: V8's own profiler over the inspector, so that its start-up does not count. */
import { setTimeout as sleep } from 'node:timers/promises';
import { plainTable } from './report.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Profiler {
  /** Ends the profile. @returns tables for people */
  finish(): Promise<string>;
}

const linesShown = 25;
const samplingMicros = 400;
const connectTries = 50;

/** Begins a profile of the Node process whose inspector listens there. */
export async function startProfile(inspectorPort: number): Promise<Profiler> {
  const socket = new WebSocket(await debuggerUrl(inspectorPort));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('the inspector refused the connection')), { once: true });
  });
  let nextId = 0;
  const call = (method: string, params: object = {}): Promise<unknown> => {
    nextId += 1;
    const id = nextId;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => {
      const onMessage = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown };
        if (answer.id !== id) return;
        socket.removeEventListener('message', onMessage);
        resolve(answer.result);
      };
      socket.addEventListener('message', onMessage);
    });
  };
  await call('Profiler.enable');
  await call('Profiler.setSamplingInterval', { interval: samplingMicros });
  await call('Profiler.start');
  return {
    async finish() {
      const { profile } = (await call('Profiler.stop')) as { profile: Profile };
      socket.close();
      return describe(profile);
    },
  };
}

async function debuggerUrl(port: number): Promise<string> {
  for (let tries = 0; tries < connectTries; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => null);
    const targets = answer === null ? [] : ((await answer.json()) as { webSocketDebuggerUrl: string }[]);
    if (targets[0] !== undefined) return targets[0].webSocketDebuggerUrl;
    await sleep(100);
  }
  throw new Error(`no inspector answers on port ${port}`);
}

function describe(profile: Profile): string {
  const self = new Map<number, number>();
  profile.samples.forEach((id, index) => self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0)));
  const idle =
    sumBy(profile, self, (node) => (node.callFrame.functionName === '(idle)' ? 'idle' : null)).get('idle') ?? 0;
  const busy = [...self.values()].reduce((sum, value) => sum + value, 0) - idle;
  const table = (head: string, micros: ReadonlyMap<string, number>): string =>
    plainTable(['share', head], shares(micros, busy));
  return [
    `CPU profile of the gateway: ${(busy / 1e6).toFixed(1)} s busy, ${(idle / 1e6).toFixed(1)} s idle`,
    table('by part, own time', sumBy(profile, self, partOf)),
    table('by function, own time', sumBy(profile, self, nameOf)),
    table("by function, with all it calls (the gateway's own)", inclusive(profile, self)),
  ].join('\n\n');
}

function shares(micros: ReadonlyMap<string, number>, busy: number): string[][] {
  return [...micros]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, linesShown)
    .filter(([, value]) => value / busy >= 0.002)
    .map(([name, value]) => [`${((100 * value) / busy).toFixed(1)} %`.padStart(6), name]);
}

function sumBy(
  profile: Profile,
  self: ReadonlyMap<number, number>,
  key: (node: ProfileNode) => string | null,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const node of profile.nodes) {
    const name = key(node);
    const value = self.get(node.id);
    if (name !== null && value !== undefined) sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return sums;
}

/** Each function's time with all below it, counted once where it calls itself. */
function inclusive(profile: Profile, self: ReadonlyMap<number, number>): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const sums = new Map<string, number>();
  const walk = (node: ProfileNode, above: ReadonlySet<string>): number => {
    const name = nameOf(node) ?? '';
    const within = above.has(name) ? above : new Set([...above, name]);
    let total = self.get(node.id) ?? 0;
    for (const id of node.children ?? []) {
      const child = nodes.get(id);
      if (child !== undefined) total += walk(child, within);
    }
    if (!above.has(name) && node.callFrame.url.includes('/src/')) sums.set(name, (sums.get(name) ?? 0) + total);
    return total;
  };
  const [root] = profile.nodes;
  if (root !== undefined) walk(root, new Set());
  return sums;
}

function fileOf({ callFrame }: ProfileNode): string {
  return callFrame.url.replace(/^.*\/(src|node_modules)\//, '$1/');
}

function partOf(node: ProfileNode): string | null {
  const file = fileOf(node);
  if (node.callFrame.functionName === '(idle)') return null;
  if (file === '') return `native: ${node.callFrame.functionName || '(anonymous)'}`;
  if (file.startsWith('node:'))
    return file
      .split('/')
      .slice(0, 2)
      .join('/')
      .replace(/:internal$/, ':internal/…');
  return file.split('/').slice(0, -1).join('/');
}

function nameOf(node: ProfileNode): string | null {
  const { functionName, lineNumber } = node.callFrame;
  if (functionName === '(idle)') return null;
  const file = fileOf(node);
  const place = file === '' ? '' : `  ${file}:${lineNumber + 1}`;
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`;
}
