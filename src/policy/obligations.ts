/**
 * What an allow rule may ask for beside the permission itself. Of most of it only the shape is checked, so that a policy
 * written today is right tomorrow, and a rule that carries it is refused, so that nobody believes in it.
 */
import * as z from 'zod';
import { recordLevels } from '../model/decision.ts';
import type { RecordObligation } from '../model/decision.ts';
import type { AllowRuleDocument, RecordDocument } from './document.ts';
import { closed, list, text } from './shapes.ts';

const duration = z
  .string('Write a length of time with its unit: 30s, 5m, 1h or 1d.')
  .regex(/^\d{1,9}(?:ms|s|m|h|d)$/, 'Write a length of time with its unit: 30s, 5m, 1h or 1d.');
const size = z
  .string('Write a size with its unit: 500KB, 5MB or 1GB.')
  .regex(/^\d{1,9}(?:\.\d{1,3})?(?:B|KB|MB|GB|KiB|MiB|GiB)$/, 'Write a size with its unit: 500KB, 5MB or 1GB.');
const count = z.int('Write a whole number.').min(1, 'Must be at least 1.');

const maskWays = ['redact', 'last4', 'hash', 'null', 'remove'] as const;
const mask = closed('mask', {
  fields: list(text('a field path'), 'field paths').optional(),
  detect: list(text('a detector'), 'detectors').optional(),
  with: z.enum(maskWays, `Write one of ${maskWays.join(', ')}.`),
}).refine((entry) => (entry.fields === undefined) !== (entry.detect === undefined), 'Write either fields or detect.');

const approval = closed('approval', {
  reviewers: list(text('a group'), 'reviewers'),
  min: count.optional(),
  requestTtl: duration.optional(),
  maxDuration: duration.optional(),
});

const levels = ['none', ...recordLevels] as const;
const recordLevel = z.enum(['none', 'metadata', 'reference', 'full'], `Write one of ${levels.join(', ')}.`);
/** `record: full`, or a map that says more. */
const recordShape: z.ZodType<RecordDocument> = z.union(
  [
    recordLevel,
    closed('record', {
      level: recordLevel,
      owner: text('who answers for the recording', 128).optional(),
      classification: text('a classification', 128).optional(),
      retention: duration.optional(),
    }),
  ],
  {
    error: (issue) =>
      typeof issue.input === 'object' && issue.input !== null
        ? 'Write record: { level: full, owner: …, classification: …, retention: 90d }; all but level may be left out.'
        : `Write one of ${levels.join(', ')}, or a map with level, owner, classification and retention.`,
  },
);

interface ObligationShape extends z.ZodRawShape {
  mask: z.ZodOptional<z.ZodType<unknown>>;
  onMaskError: z.ZodOptional<z.ZodType<'deny'>>;
  record: z.ZodOptional<z.ZodType<RecordDocument>>;
  limit: z.ZodOptional<z.ZodType<unknown>>;
  require: z.ZodOptional<z.ZodType<unknown>>;
}

export const obligationShape: ObligationShape = {
  mask: list(mask, 'masks').optional(),
  onMaskError: z
    .literal('deny', 'Write onMaskError: deny. A record that cannot be masked is never passed on.')
    .optional(),
  record: recordShape.optional(),
  limit: closed('limit', { bytesPerSecond: size.optional(), requestsPerSecond: count.optional() })
    .refine((limit) => Object.keys(limit).length > 0, 'Write bytesPerSecond or requestsPerSecond.')
    .optional(),
  require: closed('require', { approval }).optional(),
};

const promises = {
  mask: 'It would have hidden these fields from the reader; nothing hides them yet',
  onMaskError: 'It belongs to mask, which hides nothing yet',
  limit: 'It would have held the flow to this rate; nothing limits it yet',
  require: "It would have held the operation for a person's approval; nothing asks for one yet",
} as const;

/** The obligations that a rule carries and that are not enforced, each with the message to refuse it by. */
export function unsupported(rule: AllowRuleDocument): readonly { readonly key: string; readonly message: string }[] {
  return (Object.keys(promises) as (keyof typeof promises)[])
    .filter((key) => rule[key] !== undefined)
    .map((key) => ({
      key,
      message: `"${key}" is not supported yet. ${promises[key]}: remove it, and grant only what may pass without it.`,
    }));
}

/** Whether the rule asks for a recording at all. */
export function asksToRecord(rule: AllowRuleDocument): boolean {
  return recordLevelOf(rule.record) !== 'none';
}

function recordLevelOf(record: RecordDocument | undefined): 'none' | RecordObligation['level'] {
  return typeof record === 'object' ? record.level : (record ?? 'none');
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @param owner of the document that the rule stands in, where the rule names none itself */
export function recordObligation(document: RecordDocument | undefined, owner: string): RecordObligation | null {
  const level = recordLevelOf(document);
  if (level === 'none') return null;
  const tags: Partial<Exclude<RecordDocument, string>> = typeof document === 'object' ? document : {};
  const [, amount, unit] = /^(\d+)([a-z]+)$/.exec(tags.retention ?? '') ?? [];
  return Object.freeze({
    level,
    owner: tags.owner ?? owner,
    classification: tags.classification ?? '',
    retentionMs: unit === undefined ? null : Number(amount) * (unitMs[unit] ?? 0),
  });
}

/** Of two obligations the stronger; of equals the one that keeps longer, then the first. `null` asks for nothing. */
export function stronger(a: RecordObligation | null, b: RecordObligation | null): RecordObligation | null {
  if (a === null || b === null) return a ?? b;
  const difference = recordLevels.indexOf(b.level) - recordLevels.indexOf(a.level);
  if (difference !== 0) return difference > 0 ? b : a;
  return (b.retentionMs ?? 0) > (a.retentionMs ?? 0) ? b : a;
}
