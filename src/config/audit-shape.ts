/** The section `audit` of `sluice.yaml`. */
import * as z from 'zod';
import type {
  AuditSettings,
  CheckpointPushSettings,
  CheckpointSettings,
  RetentionSettings,
  WitnessSettings,
} from '../model/settings.ts';
import { defined } from './defined.ts';
import { isSecureUrl } from './port-shape.ts';
import { duration, filePath, flag, listOf, name, secret, section, size, text, word } from './shape.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const yearMs = 366 * dayMs;

export function audit(base: string): z.ZodType<AuditSettings, unknown> {
  return section({
    directory: filePath(base).prefault('./audit'),
    mode: word(['strict', 'available']).default('strict'),
    window: duration(1_000, 600_000).default(10_000),
    checkpoint: checkpoint(base).prefault({}),
    retention: retention(base).optional(),
    witnesses: listOf(witness(base), 'witnesses').default([]),
    witnessQuorum: z.int({ error: 'Write a number.' }).min(1, 'At least 1.').max(100, 'At most 100.').optional(),
  })
    .refine(({ witnesses, witnessQuorum = 1 }) => witnesses.length === 0 || witnessQuorum <= witnesses.length, {
      path: ['witnessQuorum'],
      message: 'There are fewer witnesses than have to sign.',
    })
    .transform(
      ({ directory, mode, window, checkpoint: { key, ...others }, retention: kept, witnesses, witnessQuorum }) => ({
        directory,
        mode,
        windowMs: window,
        // Beside the folder and not in it: whoever is given a copy of the log is not given its key.
        checkpoint: {
          ...others,
          keyFile: key ?? `${directory}-key`,
          ...(witnesses.length > 0 && { witnesses: { ask: witnesses, quorum: witnessQuorum ?? witnesses.length } }),
        },
        ...defined({ retention: kept }),
      }),
    );
}

function retention(base: string): z.ZodType<RetentionSettings, unknown> {
  return section({
    keep: duration(hourMs, 100 * yearMs).optional(),
    maxBytes: size(1_000_000, Number.MAX_SAFE_INTEGER).optional(),
    every: duration(60_000, 7 * dayMs).default(hourMs),
    hold: listOf(text, 'segments and times').default([]),
    holdFile: filePath(base).optional(),
  })
    .refine(({ keep, maxBytes }) => keep !== undefined || maxBytes !== undefined, {
      message: 'Say what may go: keep (400d), maxBytes (100GB), or both. Without this section everything is kept.',
    })
    .transform(({ keep, maxBytes, every, hold, holdFile }) => ({
      everyMs: every,
      hold,
      ...defined({ keepMs: keep, maxBytes, holdFile }),
    }));
}

function witness(base: string): z.ZodType<WitnessSettings, unknown> {
  return section({
    key: pattern(/^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/, "Write the witness's public key, NAME+ID+BASE64."),
    url: text.refine(isSecureUrl, 'Write an https address (http is taken for localhost only).'),
    ca: filePath(base).optional(),
  }).transform(({ key, url, ca }) => ({ key, url, ...defined({ caFile: ca }) }));
}

function pattern(form: RegExp, message: string): z.ZodType<string> {
  return text.refine((value) => form.test(value), message);
}

const commandLine: z.ZodType<[string, ...string[]]> = z
  .tuple([text], text, { error: 'Write a list: the program, then its arguments.' })
  .refine((words) => words.length <= 64, 'Too many arguments.');

type CheckpointInput = Omit<CheckpointSettings, 'keyFile'> & { readonly key?: string | undefined };

function checkpoint(base: string): z.ZodType<CheckpointInput, unknown> {
  const entriesMessage = 'Write a number of entries from 1 to 1000000.';
  return section({
    every: duration(1_000, hourMs).default(10_000),
    entries: z.int({ error: entriesMessage }).min(1, entriesMessage).max(1_000_000, entriesMessage).default(1_000),
    key: filePath(base).optional(),
    origin: z
      .string({ error: 'Write a name.' })
      .regex(/^[\p{L}\p{N}./_:-]{1,256}$/u, 'Use letters, digits and . / _ : - for the name of the log, at most 256.')
      .optional(),
    push: push(base).optional(),
  }).transform((input) => ({
    everyMs: input.every,
    entries: input.entries,
    ...defined({ key: input.key, origin: input.origin, push: input.push }),
  }));
}

function push(base: string): z.ZodType<CheckpointPushSettings, unknown> {
  return section({
    directory: filePath(base).optional(),
    command: commandLine.optional(),
    s3: bucket(base).optional(),
    kafka: section({ port: name, topic: topicName }).optional(),
  }).transform(({ directory, command, s3, kafka }) => defined({ directory, command, s3, kafka }));
}

const topicName: z.ZodType<string> = pattern(/^[A-Za-z0-9._-]{1,249}$/, 'This is no name of a topic.');

function bucket(base: string): z.ZodType<NonNullable<CheckpointPushSettings['s3']>, unknown> {
  return section({
    endpoint: text.refine(isSecureUrl, 'Write an https address (http is taken for localhost only).'),
    region: text.default('us-east-1'),
    bucket: pattern(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'This is no name of a bucket.'),
    prefix: pattern(/^[A-Za-z0-9!_.*'()/-]+$/, 'Use letters, digits and / _ . - for the prefix.').optional(),
    pathStyle: flag.default(true),
    accessKeyId: secret(base),
    secretAccessKey: secret(base),
    sessionToken: secret(base).optional(),
    ca: filePath(base).optional(),
    lock: section({
      mode: word(['compliance', 'governance']).default('compliance'),
      for: duration(dayMs, 100 * yearMs),
    }).optional(),
  }).transform((input) => ({
    endpoint: input.endpoint,
    region: input.region,
    bucket: input.bucket,
    prefix: input.prefix ?? '',
    pathStyle: input.pathStyle,
    accessKeyId: input.accessKeyId,
    secretAccessKey: input.secretAccessKey,
    ...defined({
      caFile: input.ca,
      sessionToken: input.sessionToken,
      lock: input.lock && { mode: input.lock.mode, forMs: input.lock.for },
    }),
  }));
}
