/**
 * What recording costs: CPU milliseconds of the whole process per gigabyte of payload (copy, AES-256-GCM, HMAC-SHA-256,
 * write), and microseconds per item where items are small. Beside it the same bytes written to a file as they are.
 *
 *   sh scripts/node.sh bench/recording-writer.ts [FOLDER]     FOLDER: on the disk to be measured; default the temporary folder
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/logger.ts';
import type { RecordObligation } from '../src/model/decision.ts';
import { openRecordings } from '../src/recording/recording.ts';
import type { RecordingEvents, SessionRecorder } from '../src/recording/recording.ts';

const gigabyte = 1_000_000_000;
const full: RecordObligation = { level: 'full', owner: 'bench', classification: '', retentionMs: null };
const nothing = (): void => {};
const events: RecordingEvents = {
  started: async () => await Promise.resolve(),
  rotated: nothing,
  closed: nothing,
  failed: (_, cause) => console.log(`failed: ${cause}`),
  lost: nothing,
  erased: nothing,
  read: nothing,
  durable: async () => await Promise.resolve(),
};
const credential = { type: 'jwt', id: 'jti-1' } as const;
const principal = { kind: 'job', id: 'b', issuer: 'b', groups: [], claims: {}, expiresAtMs: null, credential } as const;
const client = {
  port: 'orders',
  address: '10.0.0.7',
  addressPort: 50_000,
  clientId: 'bench',
  softwareName: '',
  softwareVersion: '',
  mechanism: 'OAUTHBEARER',
  tls: true,
};

const parent = process.argv[2] ?? tmpdir();
console.log(`recordings in ${parent}, Node ${process.version}`);
for (const itemBytes of [1_000, 16_384, 1_048_576]) await report(itemBytes, Math.min(gigabyte, itemBytes * 200_000));

async function report(itemBytes: number, bytes: number): Promise<void> {
  const items = Math.floor(bytes / itemBytes);
  const payload = randomBytes(itemBytes);
  const folder = await mkdtemp(join(parent, 'sluice-bench-recording-'));
  try {
    const recorded = await measured(() => record(folder, payload, items));
    const plain = await measured(() => write(join(folder, 'plain'), payload, items));
    const perGigabyte = (ms: number): string => ((ms * gigabyte) / (items * itemBytes)).toFixed(0).padStart(6);
    const perItem = ((recorded * 1_000) / items).toFixed(1);
    console.log(
      `${String(itemBytes).padStart(8)} bytes per item: ${perGigabyte(recorded)} CPU ms/GB recorded, ${perGigabyte(plain)} written plain; ${perItem} µs per item`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function record(folder: string, payload: Buffer, items: number): Promise<void> {
  const directory = join(folder, 'recordings');
  const recordings = openRecordings({
    settings: { directory, keyFile: join(folder, 'key'), mode: 'strict', segmentBytesMax: 67_108_864, freeBytesMin: 0 },
    gatewayId: 'bench',
    clock: systemClock,
    logger: silentLogger,
    events,
  });
  const session: SessionRecorder = recordings.session({ id: randomUUID(), principal, client }, console.log);
  const meta = {
    request: 'Fetch v17',
    topic: 'payments',
    partition: 3,
    from: '4711',
    records: 16,
    bytes: payload.length,
  };
  for (let index = 0; index < items; index += 1) {
    session.record(full, { kind: 'delivered', meta, payload, records: 16 });
    const later = session.durable();
    if (later !== null) await later;
  }
  session.close();
  await recordings.close();
}

async function write(path: string, payload: Buffer, items: number): Promise<void> {
  const file = await open(path, 'w');
  const together = Math.max(1, Math.floor(65_536 / payload.length));
  for (let index = 0; index < items; index += together)
    await file.writev(Array.from({ length: together }, () => payload));
  await file.sync();
  await file.close();
}

async function measured(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
