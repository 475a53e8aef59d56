/** Keeps frames by API, direction and version, chooses among them, and writes them as the files that `kafka.test.ts` reads. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiRow } from '../../../src/ports/kafka/protocol/protocol.ts';

export type Direction = 'request' | 'response';

export interface Frame {
  readonly api: ApiRow;
  readonly direction: Direction;
  readonly version: number;
  /** Without the size in front. */
  readonly payload: Buffer;
  /** Who spoke to whom, such as `kafkajs 2.2.4 to Apache Kafka 4.2.1`. */
  readonly source: string;
}

export interface Recorder {
  add(frame: Frame): void;
  has(api: string, direction: Direction, version: number): boolean;
  /** Replaces what is in the folder. Returns the number of files. */
  write(folder: string): Promise<number>;
}

const samplesMax = 2;
const candidatesMax = 40;
const payloadBytesMax = 4096;
const lineChars = 120;

export function createRecorder(): Recorder {
  const kept = new Map<string, Frame[]>();
  return {
    add(frame) {
      if (frame.payload.length > payloadBytesMax) return;
      const key = keyOf(frame.api.name, frame.direction, frame.version);
      const frames = kept.get(key) ?? [];
      kept.set(key, frames);
      if (frames.some((other) => isSame(other, frame))) return;
      frames.push(frame);
      if (frames.length > candidatesMax) frames.splice(0, frames.length, ...choose(frames, candidatesMax / 2));
    },
    has: (api, direction, version) => kept.has(keyOf(api, direction, version)),
    write: async (folder) =>
      await writeAll(
        folder,
        [...kept.values()].flatMap((frames) => numbered(choose(frames, samplesMax))),
      ),
  };
}

function keyOf(api: string, direction: Direction, version: number): string {
  return `${api} ${direction} ${version}`;
}

/** Equal but for the correlation id, which stands after key and version in a request and first in a response. */
function isSame(one: Frame, other: Frame): boolean {
  const from = one.direction === 'request' ? 8 : 4;
  return one.payload.subarray(from).equals(other.payload.subarray(from));
}

/** The longest, which shows the most structure, and then the longest of a source that is not there yet. */
function choose(frames: readonly Frame[], count: number): Frame[] {
  const left = frames.toSorted((one, other) => other.payload.length - one.payload.length);
  const chosen: Frame[] = [];
  while (chosen.length < count && left.length > 0) {
    const fresh = left.findIndex(({ source }) => !chosen.some((frame) => frame.source === source));
    chosen.push(...left.splice(Math.max(fresh, 0), 1));
  }
  return chosen;
}

function numbered(frames: readonly Frame[]): { path: string; text: string }[] {
  return frames.map(({ api, direction, version, payload, source }, index) => {
    const hex = payload.toString('hex').replaceAll(new RegExp(`.{${lineChars}}(?=.)`, 'g'), '$&\n');
    return { path: join(api.name, `${direction}-v${version}-${index + 1}.hex`), text: `# ${source}\n${hex}\n` };
  });
}

async function writeAll(folder: string, files: readonly { path: string; text: string }[]): Promise<number> {
  await rm(folder, { recursive: true, force: true });
  for (const { path, text } of files) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.hex')).length;
}
