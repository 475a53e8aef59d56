/**
 * What an allow rule may ask for beside the permission itself. None of it is enforced yet: the shapes are checked, so that
 * a policy written today is right tomorrow, and a rule that carries one is refused, so that nobody believes in it.
 */
import * as z from 'zod';
import type { AllowRuleDocument } from './document.ts';
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

interface ObligationShape extends z.ZodRawShape {
  mask: z.ZodOptional<z.ZodType<unknown>>;
  onMaskError: z.ZodOptional<z.ZodType<'deny'>>;
  record: z.ZodOptional<z.ZodType<'none' | 'metadata' | 'full'>>;
  limit: z.ZodOptional<z.ZodType<unknown>>;
  require: z.ZodOptional<z.ZodType<unknown>>;
}

export const obligationShape: ObligationShape = {
  mask: list(mask, 'masks').optional(),
  onMaskError: z
    .literal('deny', 'Write onMaskError: deny. A record that cannot be masked is never passed on.')
    .optional(),
  record: z.enum(['none', 'metadata', 'full'], 'Write one of none, metadata, full.').optional(),
  limit: closed('limit', { bytesPerSecond: size.optional(), requestsPerSecond: count.optional() })
    .refine((limit) => Object.keys(limit).length > 0, 'Write bytesPerSecond or requestsPerSecond.')
    .optional(),
  require: closed('require', { approval }).optional(),
};

const promises = {
  mask: 'It would have hidden these fields from the reader; nothing hides them yet',
  onMaskError: 'It belongs to mask, which hides nothing yet',
  record: 'It would have recorded what the session reads and writes; nothing is recorded yet',
  limit: 'It would have held the flow to this rate; nothing limits it yet',
  require: "It would have held the operation for a person's approval; nothing asks for one yet",
} as const;

/** The obligations that a rule carries and that are not enforced, each with the message to refuse it by. */
export function unsupported(rule: AllowRuleDocument): readonly { readonly key: string; readonly message: string }[] {
  return (Object.keys(promises) as (keyof typeof promises)[])
    .filter((key) => rule[key] !== undefined && !(key === 'record' && rule.record === 'none'))
    .map((key) => ({
      key,
      message: `"${key}" is not supported yet. ${promises[key]}: remove it, and grant only what may pass without it.`,
    }));
}
