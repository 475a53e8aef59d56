import { z } from 'zod';
import type { Entry } from '../model/entry.ts';
import { isEventCode } from './catalogue.ts';
import { typePrefix } from './envelope.ts';
import { schemas } from './schemas.ts';

const envelope = z.strictObject({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().startsWith('/sluice/'),
  type: z.string().startsWith(typePrefix),
  time: z.iso.datetime({ precision: 3 }),
  subject: z.string().optional(),
  datacontenttype: z.literal('application/json'),
  data: z.looseObject({}),
});

/** An entry's code: its type without the prefix that all share. */
export function codeOf(entry: Entry): string {
  return entry.type.startsWith(typePrefix) ? entry.type.slice(typePrefix.length) : entry.type;
}

/** What is wrong with an entry's shape, `data.seq: expected number`, or `null`. Held in tests, not on the hot path. */
export function entryProblem(entry: unknown): string | null {
  const outer = envelope.safeParse(entry);
  if (!outer.success) return firstIssue(outer.error, '');
  const code = outer.data.type.slice(typePrefix.length);
  if (!isEventCode(code)) return `type: no event is called ${code}`;
  const inner = schemas[code].safeParse(outer.data.data);
  return inner.success ? null : firstIssue(inner.error, 'data');
}

function firstIssue(error: z.ZodError, within: string): string {
  const [issue] = error.issues;
  const path = [...(within === '' ? [] : [within]), ...(issue?.path ?? [])].map(String).join('.');
  return `${path}: ${issue?.message ?? 'unknown'}`;
}
