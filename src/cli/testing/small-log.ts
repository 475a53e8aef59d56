/** A small audit log, and the command line run on it. For tests only. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditEvent, openAuditLog } from '../../audit/audit.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';

const main = fileURLToPath(new URL('../sluice.ts', import.meta.url));
const startMs = Date.now() - 20_000;
/** An instant of the log, `ms` after its beginning. */
export const at = (ms: number): string => new Date(startMs + ms).toISOString();
const window: { readonly start: string; readonly end: string } = { start: at(0), end: at(10_000) };

/** What a command printed, and its exit code. */
export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `sluice audit ARGS` in the folder. */
export function runAudit(folder: string, ...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, 'audit', ...args],
      { cwd: folder, env: { ...process.env, NO_COLOR: '1' } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const about = (id: string, seq: number) =>
  ({
    session_id: `7f1de1a4-7b52-4d0e-a0c0-${id.padEnd(12, '0')}`,
    seq,
    port: 'orders',
    principal: { kind: 'user', id, issuer: 'corp', groups: ['payments-eng'] },
    client: { address: '10.0.0.7', client_id: 'c', software: 's', mechanism: 'PLAIN', tls: true },
    policy_revision: 'r',
  }) as const;

/** Writes a signed log of two readers' windows, two denials and three sessions into `audit/` of the folder. */
export async function writeLog(folder: string): Promise<void> {
  const checkpoint = { everyMs: 60_000, entries: 1_000, keyFile: join(folder, 'audit-key') };
  const base = { directory: join(folder, 'audit'), mode: 'strict', gatewayId: 'gw', clock: systemClock } as const;
  const log = await openAuditLog({ ...base, logger: silentLogger, checkpoint });
  const flow = { operation: 'read', topic: 'payments', partition: 3, approximate: false } as const;
  const amounts = { records: 1_001, records_without_offset: 0, bytes: 9, requests: 1 };
  for (const [id, first, last] of [
    ['a11ce', '4000', '5000'],
    ['b0b', '5001', '9223372036854775807'],
  ] as const) {
    log.append(
      auditEvent('flow.window', { ...about(id, 1), flow: { ...flow, ...amounts, ranges: [[first, last]] }, window }),
    );
  }
  const authorization = {
    granted: false,
    operation: 'read',
    resourceType: 'topic',
    patternType: 'literal',
    partition: 3,
    reason: 'no-matching-rule',
    rule: null,
  } as const;
  log.append(
    auditEvent('operation.denied', {
      ...about('=cmd', 1),
      authorization: { ...authorization, resourceName: 'payments' },
      request: 'Fetch v17',
      count: 1,
    }),
  );
  log.append(
    auditEvent('operation.denied', {
      ...about('b0b', 2),
      authorization: { ...authorization, operation: 'commit', resourceType: 'group', resourceName: 'billing' },
      request: 'x',
      count: 1,
    }),
  );
  for (const [id, seq] of [
    ['a11ce', 2],
    ['b0b', 3],
    ['=cmd', 2],
  ] as const) {
    const counters = {
      entries: seq,
      connections: 1,
      denials: 0,
      refusals: 0,
      flows: 0,
      windows: 0,
      records_read: 0,
      records_written: 0,
      bytes_read: 0,
      bytes_written: 0,
    };
    log.append(auditEvent('session.closed', { ...about(id, seq), reason: 'left', opened_at: window.start, counters }));
  }
  await log.close();
}

/** The session of a principal in the log. */
export function sessionOf(id: string): string {
  return about(id, 1).session_id;
}
