/** The small shapes that the sections of `sluice.yaml` are made of. Every message says what to write instead. */
import { resolve } from 'node:path';
import * as z from 'zod';
import { nearest } from '../lib/nearest.ts';
import type { HostPort, SecretSource } from '../model/settings.ts';
import { formatDuration, parseDurationMs, parseSizeBytes } from './units.ts';

/** Unknown keys are reported one problem per key: the messages are joined by this and split again where they are placed. */
export const messageSeparator = '\u0000';

/** A map whose keys are all known; an unknown one is named together with the one that was probably meant. */
export function section<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => unknownKey(key, known)).join(messageSeparator);
      return issue.code === 'invalid_type' ? `Write a map with the keys ${known.join(', ')}.` : undefined;
    },
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return `Unknown key "${key}". ${near === null ? `Known here: ${known.join(', ')}.` : `Did you mean "${near}"?`}`;
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words): z.ZodType<Words[number]> {
  return z.enum(words, {
    error: (issue) => {
      const near = typeof issue.input === 'string' ? nearest(issue.input, words) : null;
      const choice = words.length === 1 ? `Write ${words[0]}.` : `Write one of ${words.join(', ')}.`;
      return near === null || words.length === 1 ? choice : `${choice} Did you mean "${near}"?`;
    },
  });
}

export const text: z.ZodType<string> = z
  .string({ error: 'Write a text; put it in quotes if it looks like a number.' })
  .min(1, 'Must not be empty.')
  .max(4_096, 'Must not be longer than 4096 characters.');

export const flag: z.ZodType<boolean> = z.boolean({ error: 'Write true or false.' });

/** Names that policies, metrics and messages use. */
export const name: z.ZodType<string> = z
  .string({ error: 'Write a name.' })
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'A name has 1 to 63 lower-case letters, digits and hyphens, and neither starts nor ends with a hyphen.',
  );

/** A length of time within bounds, in milliseconds. */
export function duration(minMs: number, maxMs: number, why = ''): z.ZodType<number> {
  return z.unknown().transform((input, context) => {
    const ms = typeof input === 'string' ? parseDurationMs(input) : null;
    if (ms === null) context.addIssue('Write a length of time with its unit: 250ms, 30s, 5m, 1h or 1d.');
    else if (ms < minMs) context.addIssue(`Must be at least ${formatDuration(minMs)}. ${why}`.trim());
    else if (ms > maxMs) context.addIssue(`Must be at most ${formatDuration(maxMs)}.`);
    return ms ?? 0;
  });
}

/** A number of bytes within bounds. */
export function size(minBytes: number, maxBytes: number): z.ZodType<number> {
  return z.unknown().transform((input, context) => {
    const bytes = typeof input === 'string' ? parseSizeBytes(input) : null;
    if (bytes === null) context.addIssue('Write a size with its unit: 500KB, 64MB, 1GB, or 64MiB.');
    else if (bytes < minBytes) context.addIssue(`Must be at least ${minBytes} bytes.`);
    else if (bytes > maxBytes) context.addIssue(`Must be at most ${maxBytes} bytes.`);
    return bytes ?? 0;
  });
}

export function portNumber(min: 0 | 1 = 1): z.ZodType<number> {
  const message = `Write a port number from ${min} to 65535.`;
  return z.int({ error: message }).min(min, message).max(65_535, message);
}

/** `host:port` or `[::1]:port`. */
export function hostPortText(portMin: 0 | 1 = 1): z.ZodType<HostPort, string> {
  return z.string().transform((input, context) => {
    const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(input);
    const port = Number(match?.[3]);
    if (match === null) context.addIssue('Write host:port, such as localhost:9092 or [::1]:9092.');
    else if (port < portMin || port > 65_535) context.addIssue(`The port must be from ${portMin} to 65535.`);
    return { host: match?.[1] ?? match?.[2] ?? '', port };
  });
}

/** `host:port`, `[::1]:port` or `{ host, port }`. */
export function hostPort(portMin: 0 | 1 = 1): z.ZodType<HostPort> {
  return z.union([hostPortText(portMin), section({ host: text, port: portNumber(portMin) })], {
    error: 'Write host:port, such as localhost:9092, or { host, port }.',
  });
}

/** A path, made absolute against the folder of the configuration file. */
export function filePath(base: string): z.ZodType<string> {
  return text.transform((path) => resolve(base, path));
}

export function listOf<Item>(item: z.ZodType<Item>, what: string): z.ZodType<Item[]> {
  return z.array(item, { error: `Write a list of ${what}.` }).max(1_000, 'Must not hold more than 1000.');
}

/** One value, or a list of at least one. */
export function oneOrMore(what: string): z.ZodType<[string, ...string[]]> {
  return z
    .union([text, z.array(text).max(100, 'Must not hold more than 100.')], {
      error: `Write ${what}, or a list of them.`,
    })
    .transform((input, context) => {
      const [first, ...rest] = typeof input === 'string' ? [input] : input;
      if (first === undefined) context.addIssue(`Name at least one: ${what}.`);
      return [first ?? '', ...rest] satisfies [string, ...string[]];
    });
}

/** Where a secret is read from. A secret that stands in the file itself is refused, and never repeated in the message. */
export function secret(base: string): z.ZodType<SecretSource> {
  const where = 'Say where it is read from: { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT] }.';
  const shape = section({
    env: z
      .string({ error: 'Write the name of an environment variable.' })
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'This is not the name of an environment variable.')
      .optional(),
    file: filePath(base).optional(),
    command: z
      .array(text, { error: 'Write a list: the program, then its arguments.' })
      .min(1, 'Name a program.')
      .max(64, 'Too many arguments.')
      .optional(),
  }).transform((input, context): SecretSource => {
    if (Object.keys(input).length !== 1) context.addIssue(`Give exactly one of env, file and command. ${where}`);
    if (input.env !== undefined) return { env: input.env };
    if (input.file !== undefined) return { file: input.file };
    return { command: [input.command?.[0] ?? '', ...(input.command?.slice(1) ?? [])] };
  });
  return z
    .unknown()
    .superRefine((input, context) => {
      if (typeof input !== 'object' || input === null)
        context.addIssue({
          code: 'custom',
          message: `A secret must not stand in this file. ${where}`,
          continue: false,
        });
    })
    .pipe(shape);
}
