/** `--principal` and `--principal-file`: who is asked about, as a principal that has authenticated. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { messageOf } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import type { JsonObject, JsonValue } from '../model/json.ts';
import { principalKinds } from '../model/principal.ts';
import type { Principal, PrincipalKind } from '../model/principal.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';

const keys = ['id', 'issuer', 'kind', 'group', 'claim:NAME'];
const example = "'id=alice,issuer=corp,kind=user,group=payments-eng,claim:mfa=true'";

/** `issuer` may be left out where there is only one to choose from. */
interface Described {
  readonly id: string;
  readonly issuer?: string | undefined;
  readonly kind?: PrincipalKind | undefined;
  readonly groups: readonly string[];
  readonly claims: JsonObject;
}

/**
 * @param issuers names that the configuration defines
 * @throws CommandError with exit code 2
 */
export function parsePrincipal(text: string, issuers: readonly string[]): Principal {
  const groups: string[] = [];
  const claims: Record<string, JsonValue> = {};
  const single = new Map<string, string>();
  for (const part of splitEscaped(text)) {
    const at = part.indexOf('=');
    if (at < 1) throw usage(`"${part}" is not KEY=VALUE. Write --principal ${example}.`);
    const [key, value] = [part.slice(0, at).trim(), part.slice(at + 1)];
    if (key === 'group' || key === 'groups') groups.push(value);
    else if (key.startsWith('claim:') && key.length > 6) claims[key.slice(6)] = claimValue(value);
    else if (!['id', 'issuer', 'kind'].includes(key)) throw usage(unknownKey(key));
    else if (single.has(key)) throw usage(`--principal gives "${key}" twice.`);
    else single.set(key, value);
  }
  const id = single.get('id');
  if (id === undefined || id === '') throw usage(`--principal needs an id, such as ${example}.`);
  return principal({ id, issuer: single.get('issuer'), kind: kindOf(single.get('kind')), groups, claims }, issuers);
}

const fileShape = z.strictObject({
  id: z.string().min(1),
  issuer: z.string().optional(),
  kind: z.enum(['user', 'workload', 'job', 'agent']).optional(),
  groups: z.array(z.string()).default([]),
  claims: z.record(z.string(), z.json()).default({}),
});

/**
 * A JSON file `{ id, issuer, kind, groups, claims }`.
 *
 * @throws CommandError with exit code 1 where it cannot be read, 2 where it says nothing usable
 */
export async function readPrincipal(path: string, issuers: readonly string[]): Promise<Principal> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new CommandError(exitCodes.problems, `--principal-file cannot be read: ${messageOf(error)}.`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usage(`--principal-file ${path} is not JSON: ${messageOf(error)}.`);
  }
  const parsed = fileShape.safeParse(value);
  if (parsed.success) return principal(parsed.data, issuers);
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the whole'}: ${issue.message}`);
  throw usage(`--principal-file ${path} is not { id, issuer, kind, groups, claims }: ${faults.join('; ')}.`);
}

function principal(described: Described, issuers: readonly string[]): Principal {
  const known = [...issuers, 'mtls'];
  const issuer = described.issuer ?? (issuers.length === 1 ? issuers[0] : undefined);
  if (issuer === undefined) throw usage(`Say whose identity it is: issuer=NAME, one of ${known.join(', ')}.`);
  if (!known.includes(issuer)) {
    const near = nearest(issuer, known);
    throw usage(
      `The configuration has no issuer "${issuer}". ${near === null ? `It has ${known.join(', ')}.` : `Did you mean "${near}"?`}`,
    );
  }
  const type = issuer === 'mtls' ? 'client-certificate' : 'jwt';
  const { id, kind = 'workload', groups, claims } = described;
  return { kind, id, issuer, groups, claims, expiresAtMs: null, credential: { type, id: 'command-line' } };
}

/** Splits at commas; `\,` is a comma within a value. */
function splitEscaped(text: string): readonly string[] {
  return (text.match(/(?:\\.|[^,\\])+/g) ?? []).map((part) => part.trim().replaceAll(/\\(.)/g, '$1'));
}

/** `true`, numbers, lists and maps as JSON says; everything else, and what stands in quotes, is text. */
function claimValue(text: string): JsonValue {
  try {
    return z.json().parse(JSON.parse(text));
  } catch {
    return text;
  }
}

function kindOf(text: string | undefined): PrincipalKind | undefined {
  if (text === undefined) return undefined;
  const kind = principalKinds.find((known) => known === text);
  if (kind === undefined) throw usage(`"${text}" is no kind of principal. Write one of ${principalKinds.join(', ')}.`);
  return kind;
}

function unknownKey(key: string): string {
  const near = nearest(key, ['id', 'issuer', 'kind', 'group']);
  return `--principal does not know "${key}". ${near === null ? `It knows ${keys.join(', ')}.` : `Did you mean "${near}"?`}`;
}

function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
