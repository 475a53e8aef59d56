/** What recordings there are, from the files and without a key. */
import { open, readFile, readdir, stat } from 'node:fs/promises';
import { SluiceError, messageOf } from '../lib/errors.ts';
import type { Erasure } from './erase.ts';
import { blockHeaderBytes, blockKinds, blockTagBytes, formatName, segmentHeaderBytes } from './format.ts';
import { isRecordingId, isSessionId, pathsOf } from './header.ts';
import type { RecordingHeader } from './header.ts';

export interface StoredSegment {
  readonly number: number;
  readonly path: string;
  readonly bytes: number;
}

export interface StoredRecording {
  readonly header: RecordingHeader;
  /** The header's bytes as they are in its file: the key is bound to them. */
  readonly headerText: string;
  /** In order. A number that is missing is found when it is read. */
  readonly segments: readonly StoredSegment[];
  readonly bytes: number;
  /**
   * `complete`: its end is there. `open`: it is not, and was written to within the last minutes; `cut`: it is not, and
   * nobody writes to it: the process was killed, or somebody took the end away, which the audit log tells apart.
   */
  readonly state: 'complete' | 'open' | 'cut' | 'erased';
  readonly erasure: Erasure | null;
  /** When it was last written to, in milliseconds since the epoch. */
  readonly writtenMs: number;
}

const headerBytesMax = 65_536;
/** Every recording is flushed each second where anything flowed; idle ones are open as long as their session. */
const openForMs = 600_000;

/** @param session only this one's @throws SluiceError `recordings-unreadable` */
export async function listRecordings(directory: string, session?: string): Promise<StoredRecording[]> {
  try {
    const sessions = session === undefined ? (await readdir(directory)).filter(isSessionId) : [session];
    const found: StoredRecording[] = [];
    for (const name of sessions) found.push(...(await ofSession(directory, name)));
    return found.toSorted((a, b) => (a.header.recording < b.header.recording ? -1 : 1));
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError(
      'recordings-unreadable',
      `The recordings in ${directory} cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

async function ofSession(directory: string, session: string): Promise<StoredRecording[]> {
  if (!isSessionId(session)) return [];
  const names = await readdir(pathsOf(directory, session, '').folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
  const found: StoredRecording[] = [];
  for (const id of ids.filter(isRecordingId).toSorted()) found.push(await one(directory, session, id, names));
  return found;
}

async function one(
  directory: string,
  session: string,
  recording: string,
  names: readonly string[],
): Promise<StoredRecording> {
  const paths = pathsOf(directory, session, recording);
  const { size } = await stat(paths.header);
  const headerText = size > headerBytesMax ? '' : await readFile(paths.header, 'utf8');
  const header = parseHeader(headerText, session, recording);
  const numbers = names
    .filter((name) => name.startsWith(`${recording}.`) && name.endsWith('.rec'))
    .map((name) => Number(name.slice(recording.length + 1, -4)))
    .filter((number) => Number.isSafeInteger(number) && number > 0)
    .toSorted((a, b) => a - b);
  const stats = await Promise.all(numbers.map((number) => stat(paths.segment(number))));
  const segments = numbers.map((number, index) => ({
    number,
    path: paths.segment(number),
    bytes: stats[index]?.size ?? 0,
  }));
  const writtenMs = Math.max(Date.parse(header.started), ...stats.map(({ mtimeMs }) => mtimeMs));
  const erasure = names.includes(`${recording}.erased`)
    ? (JSON.parse(await readFile(paths.erased, 'utf8')) as Erasure)
    : null;
  const last = segments.at(-1);
  const ended = last !== undefined && (await lastKind(last)) === blockKinds.recordingEnd;
  const fresh = Date.now() - writtenMs < openForMs;
  const state = erasure !== null ? 'erased' : ended ? 'complete' : fresh ? 'open' : 'cut';
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  return { header, headerText, segments, bytes, state, erasure, writtenMs };
}

function parseHeader(text: string, session: string, recording: string): RecordingHeader {
  try {
    const header = JSON.parse(text) as Omit<RecordingHeader, 'format'> & { readonly format: string };
    if (header.format !== formatName) throw new Error(`its format is not ${formatName}`);
    if (header.session !== session || header.recording !== recording) throw new Error('it is another recording');
    return { ...header, format: formatName };
  } catch (cause) {
    throw new SluiceError(
      'recording-altered',
      `The header of recording ${recording} of session ${session} is not as the gateway wrote it: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** The kind of the segment's last whole block, from the frames alone; `null` where there is none. */
async function lastKind({ path, bytes }: StoredSegment): Promise<number | null> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(blockHeaderBytes);
    let kind: number | null = null;
    for (let position = segmentHeaderBytes; position + blockHeaderBytes <= bytes;) {
      await file.read(head, 0, blockHeaderBytes, position);
      position += blockHeaderBytes + head.readUInt32BE(0) + blockTagBytes;
      if (position <= bytes) kind = head.readUInt8(4);
    }
    return kind;
  } finally {
    await file.close();
  }
}
