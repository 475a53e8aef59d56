/** A V8 CPU profile as a short list: the functions that the time was spent in themselves. */
import { plainTable } from './report.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const linesShown = 30;

/** @param json the text of a `.cpuprofile` */
export function topProfile(json: string | null): string {
  if (json === null) return 'no profile was written';
  const profile = JSON.parse(json) as Profile;
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node)]));
  const micros = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? '?';
    micros.set(name, (micros.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  const idle = micros.get('(idle)') ?? 0;
  micros.delete('(idle)');
  const busy = [...micros.values()].reduce((sum, value) => sum + value, 0);
  const lines = [...micros]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, linesShown)
    .map(([name, value]) => [`${((100 * value) / busy).toFixed(1)} %`, name]);
  return `CPU profile of the gateway: ${(busy / 1e6).toFixed(1)} s busy, ${(idle / 1e6).toFixed(1)} s idle\n${plainTable(['self', 'function'], lines)}`;
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const file = url.replace(/^.*\/(src|node_modules)\//, '$1/');
  const place = url === '' ? '' : `  ${file}:${lineNumber + 1}`;
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`;
}
