/**
 * What commands have to tell the audit log: that a recording was read, or erased. The log is locked by the gateway that
 * writes it, so a notice is put into a folder beside the recordings, on disk before anything is shown, and the gateway
 * enters it within a second, or when it next starts, and removes it only then.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { auditNameCharsMax, recordingNoticeBytesMax, recordingNoticesMax } from '../lib/limits.ts';
import { printable } from '../lib/printable.ts';
import { listRecordings } from './catalogue.ts';
import type { RecordingEvents } from './events.ts';
import { isRecordingId, isSessionId } from './header.ts';
import type { RecordingHeader } from './header.ts';
import { syncFolder } from './writer.ts';

/** After this time whoever was to enter a notice is taken to have died. */
const enteringMs = 60_000;

export interface Notice {
  readonly kind: 'read' | 'erased';
  readonly session: string;
  readonly recording: string;
  /** What it is read for; empty where it was erased. */
  readonly purpose: string;
  /** `user@machine`. */
  readonly by: string;
  readonly atMs: number;
}

function folderOfNotices(directory: string): string {
  return join(directory, 'notices');
}

/** Who runs this command, as the system knows. */
function whoAsks(): string {
  return `${userInfo().username}@${hostname()}`;
}

/** Resolves once the notice is on disk. @throws SluiceError `notice-unwritable`: what was to be told must not be done */
export async function leaveNotice(
  directory: string,
  kind: Notice['kind'],
  header: RecordingHeader,
  purpose: string,
): Promise<void> {
  const { session, recording } = header;
  const notice: Notice = { kind, session, recording, purpose, by: whoAsks(), atMs: Date.now() };
  const folder = folderOfNotices(directory);
  const name = `${notice.atMs}-${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(join(folder, `.${name}`), 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify(notice));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(join(folder, `.${name}`), join(folder, `${name}.notice`));
    await syncFolder(folder);
  } catch (cause) {
    throw new SluiceError(
      'notice-unwritable',
      `That somebody reads or erases a recording is entered in the audit log, and the notice of it cannot be written to ${folder}: ${messageOf(cause)}. Run this as the gateway's user.`,
      { cause },
    );
  }
}

/** Enters the notices that are there, in their order. @returns how many */
export async function enterNotices(directory: string, events: RecordingEvents): Promise<number> {
  const folder = folderOfNotices(directory);
  const listed: string[] = await readdir(folder).catch(() => []);
  const found = listed.toSorted();
  const taken = await claim(folder, found);
  for (const name of taken) {
    const path = join(folder, name);
    const notice = await readNotice(path);
    const header = notice === null ? null : await headerOf(directory, notice);
    // Kept beside, for somebody to look at: it was not written by a command of ours.
    if (notice === null || header === null) {
      await rename(path, path.replace(/\.notice\.entering$/, '.unreadable'));
      continue;
    }
    if (notice.kind === 'read') events.read(header, notice.purpose, notice.by, notice.atMs);
    else events.erased(header, 'asked', notice.by, notice.atMs);
  }
  if (taken.length > 0) await events.durable();
  for (const name of taken) await rm(join(folder, name), { force: true });
  return taken.length;
}

/** Several processes look into the folder: a notice is whose who renames it. One that somebody died with comes back after a while. */
async function claim(folder: string, names: readonly string[]): Promise<string[]> {
  for (const name of names.filter((one) => one.endsWith('.entering'))) {
    const path = join(folder, name);
    const about = await stat(path).catch(() => null);
    if (about !== null && Date.now() - about.ctimeMs > enteringMs)
      await rename(path, path.slice(0, -'.entering'.length)).catch(() => undefined);
  }
  const taken: string[] = [];
  for (const name of names.filter((one) => one.endsWith('.notice')).slice(0, recordingNoticesMax)) {
    const mine = await rename(join(folder, name), join(folder, `${name}.entering`)).then(
      () => true,
      () => false,
    );
    if (mine) taken.push(`${name}.entering`);
  }
  return taken;
}

async function readNotice(path: string): Promise<Notice | null> {
  try {
    if ((await stat(path)).size > recordingNoticeBytesMax) return null;
    const found = JSON.parse(await readFile(path, 'utf8')) as Partial<Notice>;
    const { kind, session = '', recording = '', purpose = '', by = '', atMs = 0 } = found;
    if ((kind !== 'read' && kind !== 'erased') || !isSessionId(session) || !isRecordingId(recording)) return null;
    if (typeof purpose !== 'string' || typeof by !== 'string' || !Number.isSafeInteger(atMs)) return null;
    const clean = (text: string): string => printable(text, auditNameCharsMax);
    return { kind, session, recording, purpose: clean(purpose), by: clean(by), atMs };
  } catch {
    return null;
  }
}

async function headerOf(directory: string, { session, recording }: Notice): Promise<RecordingHeader | null> {
  const found = await listRecordings(directory, session).catch(() => []);
  return found.find(({ header }) => header.recording === recording)?.header ?? null;
}
