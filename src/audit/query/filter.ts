/** Which entries are asked for, and the answer per entry. */
import type { Entry } from '../../model/entry.ts';
import type { JsonObject, JsonValue } from '../../model/json.ts';
import { codeOf } from '../entry-shape.ts';
import { typePrefix } from '../envelope.ts';

/** What became of what the entry tells of. */
export type Outcome = 'permitted' | 'denied' | 'refused' | 'failed' | 'flowed';
export const outcomes: readonly Outcome[] = ['permitted', 'denied', 'refused', 'failed', 'flowed'];

/** Every field that is given has to hold. */
export interface QueryFilter {
  /** The principal's id; for failed authentications what was claimed. */
  readonly principal?: string;
  /** A group that the principal is in. */
  readonly memberOf?: string;
  readonly topic?: string;
  readonly partition?: number;
  /** Windows of flow whose ranges hold it; with `topic` and `partition`. */
  readonly offset?: bigint;
  /** A consumer group. */
  readonly group?: string;
  /** `read`, `write`, `describe`, … */
  readonly action?: string;
  readonly outcome?: Outcome;
  readonly session?: string;
  readonly code?: string;
  /** Entries at or after, and before; a window of flow counts where it overlaps. Milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** What entries have in common, whatever their code. Fields that an entry does not have are absent. */
export interface EntryFacts {
  readonly principal?: string;
  readonly groups: readonly string[];
  readonly address?: string;
  readonly session?: string;
  readonly action?: string;
  readonly resourceType?: string;
  readonly resource?: string;
  readonly partition?: number;
  readonly outcome?: Outcome;
  /** When it was, in milliseconds since the epoch: for a window of flow from its start to its end. */
  readonly fromMs: number;
  readonly toMs: number;
}

export function factsOf(entry: Entry): EntryFacts {
  const { data } = entry;
  const code = codeOf(entry);
  const principal = object(data['principal']);
  const client = object(data['client']);
  const flow = object(data['flow']);
  const authorization = object(data['authorization']);
  const window = object(data['window']);
  const timeMs = Date.parse(entry.time);
  const partition = number(flow?.['partition'] ?? authorization?.['partition']);
  const facts = {
    principal: text(principal?.['id'] ?? object(data['claimed'])?.['id']),
    address: text(client?.['address']),
    session: text(data['session_id']),
    action: text(flow?.['operation'] ?? authorization?.['operation']),
    resourceType: flow === null ? text(authorization?.['resourceType']) : 'topic',
    resource: text(flow?.['topic'] ?? authorization?.['resourceName']),
    outcome: outcomeOf(code, authorization),
  };
  return {
    ...(Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<EntryFacts>),
    ...(partition !== undefined && { partition }),
    groups: list(principal?.['groups']).filter((group) => typeof group === 'string'),
    fromMs: Date.parse(text(window?.['start']) ?? '') || timeMs,
    toMs: Date.parse(text(window?.['end']) ?? '') || timeMs,
  };
}

export function matches(entry: Entry, facts: EntryFacts, filter: QueryFilter): boolean {
  return (
    (filter.code === undefined || codeOf(entry) === filter.code) &&
    (filter.principal === undefined || facts.principal === filter.principal) &&
    (filter.memberOf === undefined || facts.groups.includes(filter.memberOf)) &&
    (filter.session === undefined || facts.session === filter.session) &&
    (filter.action === undefined || facts.action === filter.action) &&
    (filter.outcome === undefined || facts.outcome === filter.outcome) &&
    (filter.topic === undefined || (facts.resourceType === 'topic' && facts.resource === filter.topic)) &&
    (filter.group === undefined || (facts.resourceType === 'group' && facts.resource === filter.group)) &&
    (filter.partition === undefined || facts.partition === filter.partition) &&
    (filter.offset === undefined || holdsOffset(entry, filter.offset)) &&
    (filter.sinceMs === undefined || facts.toMs >= filter.sinceMs) &&
    (filter.untilMs === undefined || facts.fromMs < filter.untilMs)
  );
}

/**
 * Texts that a line must hold to match, so that most lines need not be parsed. Entries are canonical: a field has one
 * spelling. A list of alternatives: one of each must be there.
 */
export function needlesOf(filter: QueryFilter): readonly (readonly Buffer[])[] {
  const needles: string[][] = [];
  const field = (name: string, value: string): string => `"${name}":${JSON.stringify(value)}`;
  if (filter.offset !== undefined) needles.push([field('type', `${typePrefix}flow.window`)]);
  if (filter.topic !== undefined) needles.push([field('topic', filter.topic), field('resourceName', filter.topic)]);
  if (filter.group !== undefined) needles.push([field('resourceName', filter.group)]);
  if (filter.partition !== undefined)
    needles.push([`"partition":${filter.partition},`, `"partition":${filter.partition}}`]);
  if (filter.principal !== undefined) needles.push([field('id', filter.principal)]);
  if (filter.memberOf !== undefined) needles.push([JSON.stringify(filter.memberOf)]);
  if (filter.session !== undefined) needles.push([field('session_id', filter.session)]);
  if (filter.action !== undefined) needles.push([field('operation', filter.action)]);
  if (filter.code !== undefined) needles.push([field('type', typePrefix + filter.code)]);
  return needles.map((alternatives) => alternatives.map((needle) => Buffer.from(needle)));
}

/** Whether a window's ranges hold the offset. Offsets are decimal strings of up to 19 digits. */
function holdsOffset(entry: Entry, offset: bigint): boolean {
  return list(object(entry.data['flow'])?.['ranges']).some((range) => {
    const [first, last] = list(range);
    const whole =
      typeof first === 'string' && typeof last === 'string' && /^\d{1,19}$/.test(first) && /^\d{1,19}$/.test(last);
    return whole && BigInt(first) <= offset && offset <= BigInt(last);
  });
}

function outcomeOf(code: string, authorization: JsonObject | null): Outcome | undefined {
  if (code === 'authentication.failed') return 'failed';
  if (code === 'operation.refused') return 'refused';
  if (code === 'flow.window') return 'flowed';
  if (code === 'session.opened' || code === 'authentication.renewed') return 'permitted';
  if (authorization === null) return undefined;
  return authorization['granted'] === true ? 'permitted' : 'denied';
}

function object(value: JsonValue | undefined): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function number(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
