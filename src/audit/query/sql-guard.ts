/**
 * What may be asked in SQL: one SELECT over `entries`. The engine is shut off from files, network and settings anyway;
 * this keeps out the functions of its own that write logs and profiles, and says what is wrong in words.
 */
import { SluiceError } from '../../lib/errors.ts';
import { auditQuerySqlCharsMax } from '../../lib/limits.ts';
import type { QueryEngine } from './engine.ts';

/** Functions that give rows and touch nothing. */
const tableFunctions: ReadonlySet<string> = new Set(['range', 'generate_series', 'unnest']);
/** Functions that give a value and do more than that. */
const refusedFunctions: ReadonlySet<string> = new Set(['write_log', 'nextval', 'setseed', 'getenv']);
const parseTimeoutMs = 10_000;

type Json = Readonly<Record<string, unknown>>;

/** @throws SluiceError `query-refused`, which says what may be asked */
export async function guardSql(engine: QueryEngine, sql: string): Promise<void> {
  if (sql.length > auditQuerySqlCharsMax) throw refused(`It is longer than ${auditQuerySqlCharsMax} characters`);
  const { rows } = await engine.ask('SELECT json_serialize_sql($1::VARCHAR)', [sql], 1, parseTimeoutMs);
  const tree = JSON.parse(String(rows[0]?.[0])) as Json;
  if (tree['error'] === true) {
    if (tree['error_type'] === 'parser') throw refused(`SQL: ${String(tree['error_message'])}${placeOf(sql, tree)}`);
    throw refused('Only SELECT is answered: nothing is written, loaded, attached or set');
  }
  const statements = tree['statements'];
  if (!Array.isArray(statements) || statements.length !== 1) throw refused('Only one statement is answered at a time');
  const named = new Set<string>(['entries']);
  walk(statements, (node) => collectNames(node, named));
  walk(statements, (node) => hold(node, named));
}

function hold(node: Json, named: ReadonlySet<string>): void {
  const { type, class: kind } = node;
  if (type === 'BASE_TABLE') {
    const { table_name: table, schema_name: schema, catalog_name: catalog } = node;
    if (!named.has(String(table).toLowerCase()) || schema !== '' || catalog !== '')
      throw refused(`There is no table ${[catalog, schema, table].filter(Boolean).join('.')}: ask \`entries\``);
  }
  if (type === 'TABLE_FUNCTION') {
    const name = functionName(node['function']);
    if (!tableFunctions.has(name)) throw refused(`${name}() cannot be read from: ask \`entries\``);
  }
  if (kind === 'FUNCTION' && refusedFunctions.has(functionName(node)))
    throw refused(`${functionName(node)}() does more than give a value`);
}

/** `WITH name AS …`. One that hides a table of the engine's leads nowhere outside either. */
function collectNames(node: Json, named: Set<string>): void {
  const { cte_map: ctes } = node;
  const map = typeof ctes === 'object' && ctes !== null ? (ctes as Json)['map'] : [];
  for (const { key } of Array.isArray(map) ? (map as readonly Json[]) : []) named.add(String(key).toLowerCase());
}

function functionName(node: unknown): string {
  const name = typeof node === 'object' && node !== null ? (node as Json)['function_name'] : '';
  return String(name).toLowerCase();
}

function walk(value: unknown, visit: (node: Json) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) visit(value as Json);
  for (const inner of Object.values(value)) walk(inner, visit);
}

function placeOf(sql: string, tree: Json): string {
  const position = Number(tree['position']);
  return Number.isSafeInteger(position) && position < sql.length ? ` (at "${sql.slice(position, position + 20)}")` : '';
}

function refused(why: string): SluiceError<'query-refused'> {
  return new SluiceError('query-refused', `${why}. \`sluice audit query --columns\` lists what can be asked about.`);
}
