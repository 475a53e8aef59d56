/** What a recording says of itself, in the clear: whose it is, what it is of, and its tags. Never what flowed. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { printable } from '../lib/printable.ts';
import { auditNameCharsMax } from '../lib/limits.ts';
import type { RecordLevel, RecordObligation } from '../model/decision.ts';
import type { RecordedSession } from './contract.ts';
import { formatName } from './format.ts';

export interface RecordingHeader {
  readonly format: typeof formatName;
  /** `20270312-081502-0a1b2c3d4e5f`: when it began, and 48 random bits. */
  readonly recording: string;
  readonly session: string;
  readonly gateway: string;
  readonly port: string;
  readonly principal: { readonly kind: string; readonly id: string; readonly issuer: string };
  readonly client: { readonly address: string; readonly client_id: string; readonly software: string };
  readonly level: RecordLevel;
  readonly tags: {
    readonly owner: string;
    readonly classification: string;
    /** Erased so long after its end; `null`: kept until somebody erases it. */
    readonly retention_ms: number | null;
  };
  /** RFC 3339. */
  readonly started: string;
}

const recordingPattern = /^\d{8}-\d{6}-[0-9a-f]{12}$/;
const sessionPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isRecordingId(text: string): boolean {
  return recordingPattern.test(text);
}

export function isSessionId(text: string): boolean {
  return sessionPattern.test(text);
}

export function makeHeader(
  about: RecordedSession,
  gateway: string,
  obligation: RecordObligation,
  defaultRetentionMs: number | null,
  started: { readonly atMs: number; readonly random: Buffer },
): RecordingHeader {
  const { principal, client } = about;
  const time = new Date(started.atMs).toISOString();
  const stamp = time.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const clean = (text: string): string => printable(text, auditNameCharsMax);
  return {
    format: formatName,
    recording: `${stamp}-${started.random.toString('hex', 0, 6)}`,
    session: about.id,
    gateway,
    port: client.port,
    principal: { kind: principal.kind, id: clean(principal.id), issuer: clean(principal.issuer) },
    client: {
      address: clean(client.address),
      client_id: clean(client.clientId),
      software: clean([client.softwareName, client.softwareVersion].filter((part) => part !== '').join(' ')),
    },
    level: obligation.level,
    tags: {
      owner: obligation.owner,
      classification: obligation.classification,
      retention_ms: obligation.retentionMs ?? defaultRetentionMs,
    },
    started: time,
  };
}

/** Binds the wrapped key to the header's very bytes: who changes a tag makes the recording unreadable, which shows. */
export function keyContext(headerText: string): Buffer {
  return createHash('sha256').update(`${formatName} header\n`).update(headerText).digest();
}

/** Where the parts of a recording are. Keys stand apart, so that copies of recordings need not hold them. */
export interface RecordingPaths {
  readonly folder: string;
  readonly header: string;
  readonly key: string;
  readonly erased: string;
  segment(number: number): string;
}

export function pathsOf(directory: string, session: string, recording: string): RecordingPaths {
  const folder = join(directory, session);
  return {
    folder,
    header: join(folder, `${recording}.json`),
    key: join(directory, 'keys', `${recording}.key`),
    erased: join(folder, `${recording}.erased`),
    segment: (number) => join(folder, `${recording}.${String(number).padStart(6, '0')}.rec`),
  };
}
