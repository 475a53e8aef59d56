/** Recordings in a temporary folder, with what they say written down. For tests only. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { silentLogger } from '../lib/logger.ts';
import type { RecordObligation } from '../model/decision.ts';
import type { RecordingSettings } from '../model/settings.ts';
import { listRecordings } from './catalogue.ts';
import type { StoredRecording } from './catalogue.ts';
import type { RecordedItem, RecordedSession, SessionRecorder } from './contract.ts';
import type { RecordingEvents } from './events.ts';
import type { StoredItem } from './format.ts';
import { FileKeyWrapper } from './key-wrapper.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { openRecording } from './reader.ts';
import type { ReadParts, ReadResult } from './reader.ts';
import { openRecordings } from './recordings.ts';
import type { RunningRecordings } from './recordings.ts';

export const full: RecordObligation = { level: 'full', owner: 'risk', classification: 'pii', retentionMs: null };

export const session: RecordedSession = {
  id: '7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1',
  principal: {
    kind: 'user',
    id: 'alice',
    issuer: 'corp',
    groups: [],
    claims: {},
    expiresAtMs: null,
    credential: { type: 'jwt', id: 'jti-1' },
  },
  client: {
    port: 'orders',
    address: '10.0.0.7',
    addressPort: 50_001,
    clientId: 'console-consumer',
    softwareName: 'apache-kafka-java',
    softwareVersion: '4.2.0',
    mechanism: 'OAUTHBEARER',
    tls: true,
  },
};

export interface Bench {
  readonly directory: string;
  readonly keyFile: string;
  readonly settings: RecordingSettings;
  readonly recordings: RunningRecordings;
  /** What went to the audit log, `closed 3 items 12 records`. */
  readonly told: string[];
  /** The digests that went to the audit log: of segments, then of the whole. */
  readonly digests: string[];
  /** Why sessions had to end. */
  readonly ended: string[];
  readonly clock: { nowMs(): number; atMs: number };
  recorder(about?: RecordedSession): SessionRecorder;
  stored(): Promise<StoredRecording[]>;
}

export async function bench(
  t: TestContext,
  over: Partial<RecordingSettings> = {},
  wrapper?: KeyWrapper,
): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-recording-'));
  const directory = join(folder, 'recordings');
  const keyFile = join(folder, 'recordings-key');
  const settings: RecordingSettings = {
    directory,
    keyFile,
    mode: 'strict',
    segmentBytesMax: 1_048_576,
    freeBytesMin: 0,
    ...over,
  };
  const told: string[] = [];
  const digests: string[] = [];
  const ended: string[] = [];
  const clock = { atMs: Date.parse('2026-03-12T08:00:00Z'), nowMs: () => clock.atMs };
  const recordings = openRecordings({
    settings,
    gatewayId: 'gw',
    clock,
    logger: silentLogger,
    events: eventsInto(told, digests),
    ...(wrapper !== undefined && { wrapper }),
  });
  t.after(async () => {
    await recordings.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    directory,
    keyFile,
    settings,
    recordings,
    told,
    digests,
    ended,
    clock,
    recorder: (about = session) => recordings.session(about, (reason) => void ended.push(reason)),
    stored: async () => await listRecordings(directory),
  };
}

export function eventsInto(told: string[], digests: string[]): RecordingEvents {
  return {
    started: async ({ level }) => await Promise.resolve(void told.push(`started ${level}`)),
    rotated(_, segment, __, digest) {
      told.push(`rotated ${segment}`);
      digests.push(digest);
    },
    closed(_, { items, records }, digest) {
      told.push(`closed ${items} items ${records} records`);
      digests.push(digest);
    },
    failed: (_, cause, { items }, lost) => void told.push(`failed after ${items} items, ${lost.items} lost: ${cause}`),
    lost: (_, cause, { items, records }) => void told.push(`lost ${items} items ${records} records: ${cause}`),
    erased: (_, cause, by) => void told.push(`erased: ${cause} by ${by}`),
    read: (_, purpose, by) => void told.push(`read: ${purpose} by ${by}`),
    durable: async () => await Promise.resolve(),
  };
}

export function delivered(payload: Buffer | string, records = 1): RecordedItem {
  return { kind: 'delivered', meta: { topic: 'payments', partition: 3 }, payload: Buffer.from(payload), records };
}

export interface ReadAll extends ReadResult {
  readonly read: readonly StoredItem[];
}

/** Reads a recording from end to end. */
export async function readAll(
  { directory, keyFile }: { readonly directory: string; readonly keyFile: string },
  stored: StoredRecording,
  parts: Partial<ReadParts> = {},
): Promise<ReadAll> {
  const opened = await openRecording(
    directory,
    stored,
    {
      wrapper: new FileKeyWrapper(keyFile, false),
      mayRead: async () => await Promise.resolve(null),
      announce: async () => await Promise.resolve(),
      ...parts,
    },
    'test',
  );
  const read: StoredItem[] = [];
  const items = opened.items();
  for (;;) {
    const next = await items.next();
    if (next.done === true) return { ...next.value, read };
    read.push(next.value);
  }
}

/** The one item that there must be. */
export async function only<Item>(items: Promise<readonly Item[]>): Promise<Item> {
  const all = await items;
  assert.equal(all.length, 1);
  return all[0] as Item;
}
