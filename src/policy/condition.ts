/** `when`: a condition in CEL over the principal, the operation and the time. Checked at load, evaluated without side effects. */
import { conditionClaimValuesMax } from '../lib/limits.ts';
import { messageOf } from '../lib/errors.ts';
import type { JsonObject, JsonValue } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { cel } from './cel.ts';
import { examine } from './condition-check.ts';
import type { ConditionFault } from './condition-check.ts';

/** `error`: could not be evaluated, or is neither true nor false. Grants nothing in an allow, holds in a deny. */
export type Verdict = 'true' | 'false' | 'error';

export interface Condition {
  readonly text: string;
  /** False: speaks of the principal only and is settled once for it. */
  readonly perOperation: boolean;
  readonly evaluate: (
    principal: ConditionPrincipal | null,
    operation: ConditionOperation | null,
    nowMs: number,
  ) => Verdict;
}

/** The principal as CEL sees it; `null` in place of claims that are too many to look at. */
export interface ConditionPrincipal {
  readonly value: ReadonlyMap<string, unknown>;
}

export interface ConditionOperation {
  readonly action: string;
  readonly resourceType: string;
  readonly resource: string;
  /** -1 where the operation touches the resource as a whole. */
  readonly partition: number;
  readonly port: string;
}

/** Compiles a condition. Its text is bounded by the shape of the rule, its tree here. */
export function compileCondition(
  text: string,
): { readonly ok: true; readonly condition: Condition } | { readonly ok: false; readonly fault: ConditionFault } {
  const { environment, parse, plan } = cel();
  try {
    const parsed = parse(text);
    const examined = examine(parsed, text);
    if (!examined.ok) return examined;
    const evaluatePlan = plan(environment, parsed);
    const evaluate: Condition['evaluate'] = (principal, operation, nowMs) => {
      try {
        const result: unknown = evaluatePlan({
          principal: principal?.value ?? new Map(),
          operation: operation === null ? new Map() : operationValue(operation),
          now: timestamp(nowMs),
        } as Parameters<typeof evaluatePlan>[0]);
        return result === true ? 'true' : result === false ? 'false' : 'error';
      } catch {
        return 'error';
      }
    };
    return { ok: true, condition: { text, perOperation: examined.perOperation, evaluate } };
  } catch (thrown) {
    return { ok: false, fault: syntaxFault(thrown) };
  }
}

function syntaxFault(thrown: unknown): ConditionFault {
  if (thrown instanceof RangeError) return { message: 'The condition nests too deeply.', offset: 0 };
  const location: unknown =
    typeof thrown === 'object' && thrown !== null && 'location' in thrown ? thrown.location : undefined;
  const start = (location as { start?: { offset?: unknown } } | undefined)?.start?.offset;
  const detail = messageOf(thrown).replace(/^<input>:\d+:\d+: /, '');
  return { message: `The condition is not valid CEL: ${detail}.`, offset: typeof start === 'number' ? start : 0 };
}

/** A `google.protobuf.Timestamp`, CEL's own type for points in time. */
function timestamp(nowMs: number): unknown {
  const seconds = Math.floor(nowMs / 1000);
  return {
    $typeName: 'google.protobuf.Timestamp',
    seconds: BigInt(seconds),
    nanos: Math.round(nowMs - seconds * 1000) * 1_000_000,
  };
}

function operationValue(operation: ConditionOperation): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['action', operation.action],
    ['resourceType', operation.resourceType],
    ['resource', operation.resource],
    ['partition', BigInt(operation.partition)],
    ['port', operation.port],
  ]);
}

/**
 * Converts once per principal. Claims become maps, in which a name such as `constructor` is found only if the token says it.
 * Numbers are CEL doubles, as JSON in CEL is: `principal.claims.level >= 2` compares, arithmetic with integers wants `int(…)`.
 */
export function conditionPrincipal(principal: Principal): ConditionPrincipal {
  const value = new Map<string, unknown>([
    ['id', principal.id],
    ['kind', principal.kind],
    ['issuer', principal.issuer],
  ]);
  // Left out where there are too many values to loop over: looking at them is then an error, which fails closed.
  if (principal.groups.length <= conditionClaimValuesMax) value.set('groups', [...principal.groups]);
  const budget = { left: conditionClaimValuesMax };
  const claims = celValue(principal.claims, budget);
  if (budget.left >= 0) value.set('claims', claims);
  return { value };
}

function celValue(value: JsonValue, budget: { left: number }): unknown {
  if (budget.left-- <= 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((inner) => celValue(inner, budget));
  return new Map(Object.entries(value as JsonObject).map(([key, inner]) => [key, celValue(inner, budget)]));
}
