/** The columns of `entries`, which SQL is asked over: what they are called, of which type they are, and where in an entry each comes from. */

export interface Column {
  readonly name: string;
  /** As DuckDB calls it. */
  readonly type: string;
  readonly text: string;
  /** SQL over `line`, `segment` and what `at` gives. */
  readonly sql: string;
}

/** Places in an entry that columns are made of. Read together, so that a line is parsed once. */
const paths: string[] = [];

/** The text at a path of the entry; NULL where there is none. */
function at(path: string): string {
  const known = paths.indexOf(path);
  return `x[${known === -1 ? paths.push(path) : known + 1}]`;
}

function column(name: string, type: string, text: string, sql: string): Column {
  return { name, type, text, sql: type === 'VARCHAR' ? sql : `TRY_CAST(${sql} AS ${type})` };
}

const data = (path: string): string => at(`$.data.${path}`);
const either = (...sql: readonly string[]): string => `coalesce(${sql.join(', ')})`;
const code = `CASE WHEN ${at('$.type')} LIKE 'dev.sluice.audit.%' THEN ${at('$.type')}[18:] ELSE ${at('$.type')} END`;
const ranges =
  `list_transform(TRY(from_json(${data('flow.ranges')}, '[["VARCHAR"]]')), ` +
  'lambda r: {first: TRY_CAST(r[1] AS BIGINT), last: TRY_CAST(r[2] AS BIGINT)})';
const outcome =
  `CASE ${code} WHEN 'authentication.failed' THEN 'failed' WHEN 'operation.refused' THEN 'refused' ` +
  `WHEN 'flow.window' THEN 'flowed' WHEN 'session.opened' THEN 'permitted' WHEN 'authentication.renewed' THEN 'permitted' ` +
  `ELSE CASE WHEN ${data('authorization')} IS NULL THEN NULL WHEN ${data('authorization.granted')} = 'true' THEN 'permitted' ELSE 'denied' END END`;

export const columns: readonly Column[] = [
  column('time', 'TIMESTAMPTZ', 'when the entry was written', at('$.time')),
  column(
    'started',
    'TIMESTAMPTZ',
    'when it began: for a window of flow its start, else `time`',
    either(data('window.start'), at('$.time')),
  ),
  column('ended', 'TIMESTAMPTZ', 'and its end', either(data('window.end'), at('$.time'))),
  column('code', 'VARCHAR', 'what kind of entry, such as `flow.window`', code),
  column('outcome', 'VARCHAR', '`permitted`, `denied`, `refused`, `failed` or `flowed`', outcome),
  column(
    'principal',
    'VARCHAR',
    'who, by id; for failed authentications what was claimed',
    either(data('principal.id'), data('claimed.id')),
  ),
  column('principal_kind', 'VARCHAR', '`user`, `workload`, `job` or `agent`', data('principal.kind')),
  column('issuer', 'VARCHAR', 'who says so', either(data('principal.issuer'), data('claimed.issuer'))),
  column(
    'member_of',
    'VARCHAR[]',
    "the principal's groups",
    `TRY(from_json(${data('principal.groups')}, '["VARCHAR"]'))`,
  ),
  column('address', 'VARCHAR', "the client's address", data('client.address')),
  column('client_id', 'VARCHAR', 'what the client calls itself', data('client.client_id')),
  column('software', 'VARCHAR', 'and its software', data('client.software')),
  column('mechanism', 'VARCHAR', 'how it proved who it is', data('client.mechanism')),
  column('tls', 'BOOLEAN', 'whether the connection was encrypted', data('client.tls')),
  column('port', 'VARCHAR', "the gateway's port", data('port')),
  column('session', 'VARCHAR', 'the session', data('session_id')),
  column('seq', 'BIGINT', "the entry's number in the session", data('seq')),
  column(
    'action',
    'VARCHAR',
    '`read`, `write`, `describe`, …',
    either(data('flow.operation'), data('authorization.operation')),
  ),
  column(
    'resource_type',
    'VARCHAR',
    '`topic`, `group`, …',
    `CASE WHEN ${data('flow')} IS NULL THEN ${data('authorization.resourceType')} ELSE 'topic' END`,
  ),
  column(
    'resource',
    'VARCHAR',
    'the name of the topic, the group, …',
    either(data('flow.topic'), data('authorization.resourceName')),
  ),
  column('partition', 'INTEGER', 'of the topic', either(data('flow.partition'), data('authorization.partition'))),
  column('records', 'BIGINT', 'records that flowed', data('flow.records')),
  column('bytes', 'BIGINT', 'bytes that flowed', data('flow.bytes')),
  column('requests', 'BIGINT', 'requests that they flowed in', data('flow.requests')),
  column(
    'first_offset',
    'BIGINT',
    'the lowest offset that flowed',
    `list_min(list_transform(${ranges}, lambda r: r.first))`,
  ),
  column('last_offset', 'BIGINT', 'the highest', `list_max(list_transform(${ranges}, lambda r: r.last))`),
  column('ranges', 'STRUCT(first BIGINT, last BIGINT)[]', 'all of them, both ends inclusive', ranges),
  column('approximate', 'BOOLEAN', 'whether `ranges` covers more than flowed', data('flow.approximate')),
  column(
    'reason',
    'VARCHAR',
    'why: of a decision, a refusal or a failure',
    either(data('authorization.reason'), data('refusal.code'), data('failure.code')),
  ),
  column('rule', 'VARCHAR', 'the policy whose rule decided', data('authorization.rule.policy')),
  column('rule_source', 'VARCHAR', 'and where the rule stands', data('authorization.rule.source')),
  column('request', 'VARCHAR', "the protocol's own name of the request", data('request')),
  column('count', 'BIGINT', 'how many equal ones the entry stands for', data('count')),
  column('policy_revision', 'VARCHAR', 'the policy in force', data('policy_revision')),
  column('subject', 'VARCHAR', 'what it is about, such as `topic/payments`', at('$.subject')),
  column('source', 'VARCHAR', 'the gateway that wrote it', at('$.source')),
  column('id', 'VARCHAR', 'the entry: `RUN.N`', at('$.id')),
  column('segment', 'VARCHAR', 'the file that it stands in', 'segment'),
  column('line', 'INTEGER', 'and the line, from 1', 'line'),
  column('data', 'JSON', "all that it says: `data->>'$.failure.detail'`", at('$.data')),
];

/**
 * Rows of `entries` from a table of lines (`line`, `text`), in two steps: an expression that columns share would be
 * worked out once for each.
 */
export function parsing(lines: string): string {
  const list = paths.map((path) => `'${path}'`).join(', ');
  return `SELECT line, TRY(json_extract_string(text, [${list}])) AS x FROM ${lines}`;
}

/** @param parsed the table that `parsing` made @param segment the name of the lines' segment */
export function projection(parsed: string, segment: string): string {
  const cells = columns.map(({ name, sql }) => `${sql} AS ${name}`);
  // What is no entry has no id, time, type or data: the verifier says so, a question passes over it.
  const whole = ['$.id', '$.time', '$.type', '$.data'].map((path) => `${at(path)} IS NOT NULL`).join(' AND ');
  return `SELECT ${cells.join(', ')} FROM (SELECT *, '${segment}' AS segment FROM ${parsed}) WHERE ${whole}`;
}
