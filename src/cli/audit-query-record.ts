/** Questions about the log are entries of it: left for the gateway before anything is shown, or not answered. */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { canonicalText, leaveEntry } from '../audit/audit.ts';
import type { QueryFilter } from '../audit/audit.ts';
import { messageOf } from '../lib/errors.ts';
import { auditDetailCharsMax, auditNameCharsMax } from '../lib/limits.ts';
import { printable } from '../lib/printable.ts';
import type { JsonValue } from '../model/json.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';

export interface RecordOptions {
  readonly directory: string;
  readonly sql?: string;
  readonly as?: string;
  readonly audit: boolean;
  readonly verified: boolean;
}

export type RecordQuery = (outcome: 'answered' | 'refused' | 'failed', rows: number, more: boolean) => Promise<void>;

/** @returns to be called once, with what became of the question */
export function recordQuery(options: RecordOptions, filter: QueryFilter): RecordQuery {
  const { directory, sql } = options;
  const filterText = canonicalText(plainFilter(filter));
  const question = sql === undefined ? filterText : filterText === '{}' ? sql : `${sql}\n-- over ${filterText}`;
  const asked = {
    query_id: randomUUID(),
    asked_at: new Date().toISOString(),
    by: asker(options.as),
    kind: sql === undefined ? 'filter' : 'sql',
    question: printable(question, auditDetailCharsMax),
    digest: createHash('sha256').update(question).digest('hex'),
    verified: options.verified,
  } as const;
  return async (outcome, rows, more) => {
    if (!options.audit) return unrecorded(directory);
    try {
      await leaveEntry(directory, 'log.queried', { ...asked, outcome, rows, more });
    } catch (error) {
      throw new CommandError(
        exitCodes.problems,
        `The question cannot be entered in the log, so it is not answered: ${messageOf(error)}. Where the folder is a copy that you cannot write, ask with --no-audit.`,
      );
    }
  };
}

/** Only where an entry could not be left anyway. @throws CommandError `usage` */
async function unrecorded(directory: string): Promise<void> {
  const writable = await access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (writable)
    throw new CommandError(
      exitCodes.usage,
      `--no-audit is for copies of the log that cannot be written, and ${directory} can.`,
    );
  process.stderr.write('This question is not entered in the log: --no-audit, and the folder cannot be written.\n');
}

function asker(claimed: string = ''): { user: string; uid: number; host: string; claimed: string } {
  const name = (text: string): string => printable(text, auditNameCharsMax - 64);
  try {
    const { username, uid } = userInfo();
    return { user: name(username), uid, host: name(hostname()), claimed: name(claimed) };
  } catch {
    // The user id has no name on this machine.
    return { user: '', uid: process.getuid?.() ?? -1, host: name(hostname()), claimed: name(claimed) };
  }
}

function plainFilter(filter: QueryFilter): Record<string, JsonValue> {
  return Object.fromEntries(
    Object.entries(filter).map(([name, value]: [string, unknown]): [string, JsonValue] => {
      if (typeof value === 'bigint') return [name, String(value)];
      if (typeof value === 'string') return [name, value.toWellFormed()];
      return name.endsWith('Ms')
        ? [name.slice(0, -2), new Date(value as number).toISOString()]
        : [name, value as number];
    }),
  );
}
