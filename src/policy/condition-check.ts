/** Reads a condition's syntax tree before it may run: what it names must exist, and its cost must be bounded. */
import type { parse } from '@bufbuild/cel';
import { conditionLoopsMax, conditionNodesMax } from '../lib/limits.ts';
import { nearest } from '../lib/nearest.ts';
import { literalFault } from './condition-literals.ts';

export interface ConditionFault {
  /** What is wrong and what to write instead. */
  readonly message: string;
  /** Offset into the text, in UTF-16 units. */
  readonly offset: number;
}

type Parsed = ReturnType<typeof parse>;
type Expr = Parsed['expr'];
type Kind<Case extends string> = Extract<Expr['exprKind'], { case: Case }>['value'];

const fieldsOf: Readonly<Record<string, readonly string[] | null>> = {
  principal: ['id', 'kind', 'issuer', 'groups', 'claims'],
  operation: ['action', 'resourceType', 'resource', 'partition', 'port'],
  now: null,
};
const variables = Object.keys(fieldsOf);
const typeNames = ['bool', 'bytes', 'double', 'dyn', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'];

const operators = [
  '_&&_',
  '_||_',
  '!_',
  '-_',
  '_==_',
  '_!=_',
  '_<_',
  '_<=_',
  '_>_',
  '_>=_',
  '_+_',
  '_-_',
  '_*_',
  '_/_',
  '_%_',
  '_?_:_',
  '_[_]',
  '@in',
  '_in_',
  '@not_strictly_false',
];
const conversions = ['bool', 'bytes', 'double', 'duration', 'dyn', 'int', 'string', 'timestamp', 'type', 'uint'];
const methods = ['size', 'contains', 'startsWith', 'endsWith', 'matches'];
const times = [
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfWeek',
  'getDayOfYear',
  'getHours',
  'getMinutes',
  'getSeconds',
  'getMilliseconds',
];
const functions = new Set([...operators, ...conversions, ...methods, ...times]);
const functionNames = [...conversions, ...methods, ...times, 'has', 'all', 'exists', 'exists_one', 'map', 'filter'];

/** A `matches` pattern is written out in the policy and short: what a token says is never run as a pattern. */
const matchesCharsMax = 256;

type Examined =
  | { readonly ok: true; readonly perOperation: boolean }
  | { readonly ok: false; readonly fault: ConditionFault };

export function examine(parsed: Parsed, text: string): Examined {
  const walk = new Walk(parsed, text);
  walk.visit(parsed.expr, [], false);
  return walk.fault === null ? { ok: true, perOperation: walk.perOperation } : { ok: false, fault: walk.fault };
}

class Walk {
  fault: ConditionFault | null = null;
  perOperation = false;
  #nodes = 0;
  #loops = 0;
  readonly #positions: Readonly<Record<string, number>>;
  readonly #text: string;

  constructor(parsed: Parsed, text: string) {
    this.#positions = parsed.sourceInfo?.positions ?? {};
    this.#text = text;
  }

  #refuse(expr: Expr, message: string): void {
    if (this.fault !== null) return;
    const offset = this.#positions[String(expr.id)] ?? 0;
    this.fault = { message, offset: Math.min(offset, this.#text.length) };
  }

  /** @param locals names that the loops around this node bind */
  visit(expr: Expr | undefined, locals: readonly string[], inLoop: boolean): void {
    if (expr === undefined || this.fault !== null) return;
    if (++this.#nodes > conditionNodesMax)
      return this.#refuse(
        expr,
        `The condition is too long: more than ${conditionNodesMax} parts. Split it over several rules.`,
      );
    const { exprKind } = expr;
    if (exprKind.case === 'identExpr') this.#ident(expr, exprKind.value.name, locals);
    else if (exprKind.case === 'selectExpr') this.#select(expr, exprKind.value, locals, inLoop);
    else if (exprKind.case === 'callExpr') this.#call(expr, exprKind.value, locals, inLoop);
    else if (exprKind.case === 'listExpr')
      for (const element of exprKind.value.elements) this.visit(element, locals, inLoop);
    else if (exprKind.case === 'structExpr') this.#struct(expr, exprKind.value, locals, inLoop);
    else if (exprKind.case === 'comprehensionExpr') this.#loop(expr, exprKind.value, locals, inLoop);
    else if (exprKind.case !== 'constExpr')
      this.#refuse(expr, 'The condition holds something that is not supported here.');
  }

  #ident(expr: Expr, name: string, locals: readonly string[]): void {
    if (locals.includes(name) || typeNames.includes(name)) return;
    if (!variables.includes(name))
      return this.#refuse(expr, `Unknown name "${name}" in the condition. ${hint(name, variables)}`);
    if (name !== 'principal') this.perOperation = true;
  }

  #select(expr: Expr, select: Kind<'selectExpr'>, locals: readonly string[], inLoop: boolean): void {
    this.visit(select.operand, locals, inLoop);
    const kind = select.operand?.exprKind;
    if (kind?.case !== 'identExpr' || locals.includes(kind.value.name)) return;
    const fields = Object.hasOwn(fieldsOf, kind.value.name) ? fieldsOf[kind.value.name] : undefined;
    if (fields === undefined || fields?.includes(select.field) === true) return;
    this.#refuse(expr, `${kind.value.name} has no "${select.field}". ${hint(select.field, fields ?? [])}`);
  }

  #call(expr: Expr, call: Kind<'callExpr'>, locals: readonly string[], inLoop: boolean): void {
    const name = call.function;
    if (!functions.has(name))
      return this.#refuse(expr, `Unknown function "${name}" in the condition. ${hint(name, functionNames)}`);
    const literal = textOf(call.args.at(-1));
    const bounded = literal !== null && literal.length <= matchesCharsMax;
    if (name === 'matches' && !bounded)
      return this.#refuse(
        expr,
        `The pattern of matches() must be written out here, with at most ${matchesCharsMax} characters.`,
      );
    const fault = bounded ? literalFault(name, literal) : null;
    if (fault !== null) return this.#refuse(expr, fault);
    this.visit(call.target, locals, inLoop);
    for (const argument of call.args) this.visit(argument, locals, inLoop);
  }

  #struct(expr: Expr, struct: Kind<'structExpr'>, locals: readonly string[], inLoop: boolean): void {
    if (struct.messageName !== '')
      return this.#refuse(expr, 'Messages cannot be made in a condition; use timestamp("…") and duration("…").');
    for (const { keyKind, value } of struct.entries) {
      if (keyKind.case === 'mapKey') this.visit(keyKind.value, locals, inLoop);
      this.visit(value, locals, inLoop);
    }
  }

  /** One loop runs over at most as many values as a token may carry; a loop in a loop, or over the list that one built, squares that. */
  #loop(expr: Expr, loop: Kind<'comprehensionExpr'>, locals: readonly string[], inLoop: boolean): void {
    if (inLoop)
      return this.#refuse(
        expr,
        'A loop (all, exists, map, filter) cannot stand inside another or run over what another made. Join the tests of both with &&.',
      );
    if (++this.#loops > conditionLoopsMax)
      return this.#refuse(expr, `At most ${conditionLoopsMax} loops in one condition.`);
    if (variables.includes(loop.iterVar))
      return this.#refuse(expr, `"${loop.iterVar}" already has a meaning here. Choose another name for the loop.`);
    const inner = [...locals, loop.iterVar, loop.iterVar2, loop.accuVar];
    this.visit(loop.iterRange, locals, true);
    for (const part of [loop.accuInit, loop.loopCondition, loop.loopStep, loop.result]) this.visit(part, inner, true);
  }
}

/** The text of a literal; `null` for anything else. */
function textOf(expr: Expr | undefined): string | null {
  if (expr?.exprKind.case !== 'constExpr') return null;
  const constant = expr.exprKind.value.constantKind;
  return constant.case === 'stringValue' ? constant.value : null;
}

function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === null ? `Known here: ${known.join(', ')}.` : `Did you mean "${near}"?`;
}
