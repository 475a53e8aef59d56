/** What the audit log says of recordings, held against what is in their files. */
import { codeOf, queryLog } from '../audit/audit.ts';
import { messageOf } from '../lib/errors.ts';
import type { JsonObject, JsonValue } from '../model/json.ts';
import type { ReadResult } from '../recording/recording.ts';

interface Claim {
  started: boolean;
  failed: string | null;
  /** Of the whole. */
  digest: string | null;
  /** By segment, from 1. */
  readonly segments: Map<number, string>;
}

export type Claims = ReadonlyMap<string, Claim>;

export interface Standing {
  /** `unproved`: nothing speaks against it, and the audit log does not speak for all of it. */
  readonly standing: 'as-recorded' | 'altered' | 'cut' | 'unproved';
  readonly detail: string;
}

/** @returns `null` where the log cannot be read */
export async function claimsOf(directory: string | null, session: string): Promise<Claims | null> {
  if (directory === null) return null;
  const claims = new Map<string, Claim>();
  try {
    for await (const { entry } of queryLog(directory, { session })) {
      const code = codeOf(entry);
      if (!code.startsWith('recording.')) continue;
      const { data } = entry;
      const id = text(data['recording']);
      let claim = claims.get(id);
      if (claim === undefined)
        claims.set(id, (claim = { started: false, failed: null, digest: null, segments: new Map() }));
      note(claim, code, data);
    }
    return claims;
  } catch (error) {
    process.stderr.write(`The audit log in ${directory} cannot be read: ${messageOf(error)}\n`);
    return null;
  }
}

function note(claim: Claim, code: string, data: JsonObject): void {
  if (code === 'recording.started') claim.started = true;
  if (code === 'recording.failed') claim.failed = text(data['cause']);
  if (code === 'recording.closed') claim.digest = text(data['digest']);
  const segment = data['segment'];
  if (code === 'recording.rotated' && typeof segment === 'number') claim.segments.set(segment, text(data['digest']));
}

export function standingOf(claims: Claims | null, recording: string, result: ReadResult): Standing {
  if (claims === null)
    return { standing: 'unproved', detail: `${ending(result)}; there is no audit log to hold it against` };
  const claim = claims.get(recording);
  if (claim === undefined)
    return { standing: 'unproved', detail: `${ending(result)}; the audit log has no entry about it` };
  for (const [segment, digest] of claim.segments) {
    const found = result.segmentDigests[segment - 1];
    if (found === undefined) return altered(`the audit log says that segment ${segment} was finished, and it is not`);
    if (found !== digest) return altered(`segment ${segment} is not what the audit log has the digest of`);
  }
  if (claim.digest !== null) {
    if (result.digest === claim.digest) return { standing: 'as-recorded', detail: 'whole, and as the audit log says' };
    return altered(
      result.ended === 'cut'
        ? 'its end was taken away: the audit log says that it was closed'
        : 'it is not what the audit log has the digest of',
    );
  }
  if (claim.failed !== null)
    return { standing: 'cut', detail: `it ends where recording failed, as the audit log says: ${claim.failed}` };
  if (result.ended === 'cut')
    return {
      standing: 'cut',
      detail: `its end is missing (${result.tornBytes} bytes of a block that was begun): it is being recorded now, or the gateway was killed`,
    };
  return { standing: 'unproved', detail: 'whole; its end is not in the audit log' };
}

function ending({ ended }: ReadResult): string {
  return ended === 'complete' ? 'whole' : 'its end is missing';
}

function altered(detail: string): Standing {
  return { standing: 'altered', detail };
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
