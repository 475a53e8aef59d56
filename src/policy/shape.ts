/** The shape of policy documents, and problems that say what to write instead. */
import * as z from 'zod';
import { conditionCharsMax } from '../lib/limits.ts';
import { nearest } from '../lib/nearest.ts';
import { actions } from '../model/operation.ts';
import { principalKinds } from '../model/principal.ts';
import type {
  AllowRuleDocument,
  Placed,
  PolicyDocument,
  RoleDocument,
  RuleDocument,
  SubjectDocument,
} from './document.ts';
import { obligationShape } from './obligations.ts';
import { patternFault } from './pattern.ts';
import type { Problems } from './problems.ts';
import { closed, list, text } from './shapes.ts';
import type { KeyPath, PlacedDocument } from './source.ts';

const name = z
  .string('Write a name.')
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?$/,
    'A name has up to 128 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit.',
  );

function pattern(extra?: (source: string) => string | null): z.ZodType<string> {
  return z
    .string('Write a name or a pattern; put it in quotes if it looks like a number.')
    .superRefine((source, context) => {
      const fault = patternFault(source) ?? extra?.(source) ?? null;
      if (fault !== null) context.addIssue(fault);
    });
}

/** Kafka topic names are `[a-zA-Z0-9._-]`, at most 249 (`Topic.java`): a pattern with anything else matches none, which a deny rule must not hide. */
const topicPattern = pattern((source) =>
  /^[a-zA-Z0-9._*-]+$/.test(source)
    ? null
    : `No topic can match "${source}": topic names are made of letters, digits, ".", "_" and "-". Patterns are literal, prefix* or globs, not regular expressions.`,
);

const exact = text('a name').refine(
  (value) => !value.includes('*'),
  'Here names are compared exactly; a "*" is not a wildcard. Write the names out, as a list if there are several.',
);
const kindWord = z.enum(principalKinds, { error: (issue) => oneOf(issue.input, principalKinds) });
const actionWord = z.enum([...actions, '*'], { error: (issue) => oneOf(issue.input, [...actions, '"*"']) });
const claimValue = z
  .union([pattern(), z.number(), z.boolean()], { error: 'Write text, a number, true, false or a list of them.' })
  .refine(
    (value) => typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value),
    'This number is too large to be exact. Put it in quotes.',
  );

/** One value stands for a list of one. */
function oneOrMore<Item>(item: z.ZodType<Item>, what: string): z.ZodType<Item[]> {
  return z.preprocess((input) => (Array.isArray(input) || input === undefined ? input : [input]), list(item, what));
}

const claims = z
  .record(
    z.string().min(1).max(1_024),
    oneOrMore(claimValue, 'values'),
    'Write a map from claim names to the values they may have.',
  )
  .refine((value) => Object.keys(value).length > 0, 'Name at least one claim, or remove this key.');

const subjectShape: z.ZodType<SubjectDocument> = closed('subject', {
  id: oneOrMore(pattern(), 'ids').optional(),
  group: oneOrMore(exact, 'groups').optional(),
  kind: oneOrMore(kindWord, 'kinds').optional(),
  issuer: oneOrMore(exact, 'issuers').optional(),
  claims: claims.optional(),
}).refine(
  (subject) => Object.keys(subject).length > 0,
  'This subject asks for nothing and would match everybody. Write at least one of id, group, kind, issuer and claims.',
);

const partition = z
  .union([z.number(), z.string()], 'Write a partition number, or a range such as "0-9".')
  .refine(
    (value) => /^\d{1,10}(?:-\d{1,10})?$/.test(String(value)),
    'Write a partition number from 0, or a range such as "0-9".',
  );

const resourceShape = {
  port: pattern(),
  topics: list(topicPattern, 'topics').optional(),
  consumerGroups: list(pattern(), 'consumer groups').optional(),
  transactionalIds: list(pattern(), 'transactional ids').optional(),
  cluster: z.literal(true, 'Write cluster: true, or remove this key.').optional(),
  partitions: list(partition, 'partitions').optional(),
  actions: list(actionWord, 'actions'),
  when: text('a condition in CEL', conditionCharsMax).optional(),
};
const denyShape: z.ZodType<RuleDocument> = closed('deny rule', resourceShape);
const allowShape: z.ZodType<AllowRuleDocument> = closed('allow rule', { ...resourceShape, ...obligationShape });

const head = {
  apiVersion: z.literal('sluice/v1', 'Write apiVersion: sluice/v1.'),
  metadata: closed('metadata', {
    name,
    owner: text('who answers for this document').optional(),
    description: text('a description').optional(),
  }),
};
const ruleLists = {
  allow: list(allowShape, 'rules', Infinity).optional(),
  deny: list(denyShape, 'rules', Infinity).optional(),
};
const policyShape: z.ZodType<PolicyDocument> = closed('Policy', {
  ...head,
  kind: z.literal('Policy'),
  spec: closed('spec', {
    subjects: list(subjectShape, 'subjects'),
    ...ruleLists,
    roles: list(name, 'role names').optional(),
    review: closed('review', {
      by: z.string('Write a day as YYYY-MM-DD.').refine(isDay, 'Write a day as YYYY-MM-DD.'),
    }).optional(),
  }),
});
const roleShape: z.ZodType<RoleDocument> = closed('Role', {
  ...head,
  kind: z.literal('Role'),
  spec: closed('spec', ruleLists),
});

function isDay(day: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return false;
  const at = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day);
}

function oneOf(input: unknown, words: readonly string[]): string {
  const near = typeof input === 'string' ? nearest(input, words) : null;
  return `Write one of ${words.join(', ')}.${near === null ? '' : ` Did you mean ${near}?`}`;
}

/** Checks one document's shape. Every problem is reported; `null` where there was one. */
export function checkShape(
  placed: PlacedDocument,
  problems: Problems,
): Placed<PolicyDocument> | Placed<RoleDocument> | null {
  const { value } = placed;
  const report = (at: KeyPath, message: string, onKey = false): null => {
    problems.add({ path: placed.path, ...(onKey ? placed.placeOfKey(at) : placed.placeOf(at)), message });
    return null;
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return report([], 'A document is a map with apiVersion, kind, metadata and spec.');
  const kind: unknown = 'kind' in value ? value.kind : undefined;
  if (kind !== 'Policy' && kind !== 'Role') return report(['kind'], 'Write kind: Policy or kind: Role.');
  const checked = kind === 'Policy' ? policyShape.safeParse(value) : roleShape.safeParse(value);
  if (checked.success) return { document: checked.data, placed } as Placed<PolicyDocument> | Placed<RoleDocument>;
  for (const issue of checked.error.issues) {
    const at = issue.path.map(pathPart);
    if (issue.code !== 'unrecognized_keys')
      report(at, isMissing(value, at) ? `The key "${at.at(-1)}" is missing. ${issue.message}` : issue.message);
    else for (const key of issue.keys) report([...at, key], unknownKey(key, issue.message), true);
  }
  return null;
}

/** Whether the document has everything on the path but its last key. */
function isMissing(value: unknown, at: KeyPath): boolean {
  let inner: unknown = value;
  for (const step of at) {
    if (typeof inner !== 'object' || inner === null) return false;
    if (typeof step === 'string' && !Object.hasOwn(inner, step)) return true;
    inner = (inner as Readonly<Record<string | number, unknown>>)[step];
  }
  return false;
}

function pathPart(part: PropertyKey): string | number {
  return typeof part === 'symbol' ? String(part) : part;
}

/** `closed` leaves what it is and the keys it knows in the issue's message, as `what: key key`. */
function unknownKey(key: string, message: string): string {
  const [what = '', keys = ''] = message.split(': ', 2);
  const known = keys.split(' ');
  if (Object.hasOwn(obligationShape, key)) return `Only allow rules can carry "${key}".`;
  const near = nearest(key, known);
  return `Unknown key "${key}" in this ${what}. ${near === null ? `Known here: ${known.join(', ')}.` : `Did you mean "${near}"?`}`;
}
