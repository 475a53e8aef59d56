/** A filter as a condition on `entries`; `matches` in filter.ts says the same of one entry. */
import { literal } from './engine.ts';
import type { QueryFilter } from './filter.ts';

/** `true` where nothing is asked. */
export function conditionOf(filter: QueryFilter): string {
  const { offset, sinceMs, untilMs } = filter;
  const equal: readonly (readonly [column: string, value: string | number | undefined])[] = [
    ['code', filter.code],
    ['principal', filter.principal],
    ['session', filter.session],
    ['action', filter.action],
    ['outcome', filter.outcome],
    ['resource', filter.topic],
    ['resource', filter.group],
    ['partition', filter.partition],
  ];
  const conditions = equal.flatMap(([column, value]) =>
    value === undefined ? [] : [`${column} = ${typeof value === 'number' ? value : literal(value)}`],
  );
  if (filter.topic !== undefined) conditions.push(`resource_type = 'topic'`);
  if (filter.group !== undefined) conditions.push(`resource_type = 'group'`);
  if (filter.memberOf !== undefined) conditions.push(`list_contains(member_of, ${literal(filter.memberOf)})`);
  if (offset !== undefined) {
    // The first two are told by the files' statistics; the third knows of the gaps.
    conditions.push(`first_offset <= ${offset}`, `last_offset >= ${offset}`);
    conditions.push(`len(list_filter(ranges, lambda r: r.first <= ${offset} AND r.last >= ${offset})) > 0`);
  }
  if (sinceMs !== undefined) conditions.push(`ended >= ${instantSql(sinceMs)}`);
  if (untilMs !== undefined) conditions.push(`started < ${instantSql(untilMs)}`);
  return conditions.length === 0 ? 'true' : conditions.join(' AND ');
}

function instantSql(ms: number): string {
  return `TIMESTAMPTZ ${literal(new Date(ms).toISOString())}`;
}
