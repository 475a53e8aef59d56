/** The shapes of events.ts as schemas: what tests hold every written entry against, and what docs/audit.md is made of. */
import { z } from 'zod';
import type { EventCode, EventData, SessionData } from './events.ts';

const count = z.int().nonnegative();
const instant = z.iso.datetime({ precision: 3 });
const offset = z.string().regex(/^\d{1,19}$/);

const principal = z.strictObject({
  kind: z.enum(['user', 'workload', 'job', 'agent']),
  id: z.string(),
  issuer: z.string(),
  groups: z.array(z.string()),
  groups_more: count.exactOptional(),
});

const client = z.strictObject({
  address: z.string(),
  client_id: z.string(),
  software: z.string(),
  mechanism: z.string(),
  tls: z.boolean(),
});

/** What every entry about a session holds. */
export const sessionFields: { readonly [Name in keyof SessionData]: z.ZodType<SessionData[Name]> } = {
  session_id: z.uuid().describe('the session; its entries are told apart by `seq`'),
  seq: z.int().positive().describe('from 1 without a gap within the session'),
  port: z.string().describe("the gateway's port, by its configured name"),
  principal: principal.describe('who: kind, id, issuer and groups'),
  client: client.describe("the client's address, its own name, its software and how it proved who it is"),
  policy_revision: z.string().describe('the policy revision in force, or `none`'),
};

const rule = z.strictObject({
  policy: z.string(),
  effect: z.enum(['allow', 'deny']),
  index: count,
  source: z.string(),
});

const authorization = z
  .strictObject({
    granted: z.boolean(),
    operation: z.string(),
    resourceType: z.string(),
    resourceName: z.string(),
    patternType: z.enum(['literal', 'any']),
    partition: count.exactOptional(),
    reason: z.string(),
    rule: rule.nullable(),
  })
  .describe('the operation, the resource, the answer, and the rule that made it (`null`: no rule matched)');

const request = z.string().describe("the protocol's own name of the request");
const folded = z.int().positive().describe('how many equal ones this entry stands for');
const credential = z
  .strictObject({ type: z.string(), id: z.string() })
  .describe('which credential, never the credential');
const expiresAt = instant.nullable().describe('when the credential dies; `null`: never');
const because = z.strictObject({ code: z.string(), detail: z.string() });

const counters = z
  .strictObject({
    entries: count,
    connections: count,
    denials: count,
    refusals: count,
    flows: count,
    windows: count,
    records_read: count,
    records_written: count,
    bytes_read: count,
    bytes_written: count,
  })
  .describe('what the session did; `entries` is how many entries of it the log must hold, this one included');

const flow = z
  .strictObject({
    operation: z.enum(['read', 'write']),
    topic: z.string(),
    partition: count,
    ranges: z.array(z.tuple([offset, offset])),
    approximate: z.boolean(),
    records: count,
    records_without_offset: count,
    bytes: count,
    requests: count,
  })
  .describe('what flowed: disjoint offset ranges with both ends inclusive, record count, bytes, requests');

const gap = z.tuple([count, count]);
const runState = z.strictObject({
  name: z.string(),
  next: count,
  last_id: z.string(),
  checkpoint_every_ms: count.nullable(),
  closed: z.strictObject({ entries: count, lost: count }).nullable(),
  gaps: z.array(gap),
  losses: z.array(z.tuple([count, count, count])),
});

const goneSegment = z.strictObject({
  name: z.string(),
  first_index: count,
  entries: count,
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  first_time: z.string(),
  last_time: z.string(),
});

const tombstone = z.strictObject({
  first_index: count.describe('position in the tree of the first entry that is gone'),
  entries: z.int().positive().describe('how many are gone'),
  first_segment: z.string(),
  last_segment: z.string(),
  segments: z
    .array(goneSegment)
    .describe('name, first position, entries, bytes, SHA-256 of the file and times of each, the newest 500'),
  older: z.strictObject({ segments: count, bytes: count }).describe('those that earlier tombstones told of'),
  policy: z.string().describe('what `audit.retention` says'),
  subtrees: z.array(z.base64()).describe('roots of the perfect subtrees that the stretch is made up of'),
  anchors: z
    .array(count)
    .describe('sizes within the stretch at which those subtrees are cut: a checkpoint stays there'),
  key_changes: z
    .array(z.strictObject({ index: count, old_key: z.string(), new_key: z.string() }))
    .describe('`log.key-changed` within the stretch'),
  reports: z
    .array(
      z.strictObject({
        segment: z.string(),
        cause: z.string(),
        complete_bytes: count,
        torn_bytes: count,
        last_id: z.string(),
      }),
    )
    .describe('`log.recovered` within the stretch about segments outside it'),
  first_run: z.string().describe('the run that the stretch begins in'),
  run: runState.describe('the run that it ends in, as far as it got'),
  sessions: z.array(z.tuple([z.string(), count])).describe('sessions that were open at its end, with their last `seq`'),
  sessions_more: count.describe('how many more were open'),
});

/** What every entry about a recording holds. */
const recordingFields = {
  recording: z.string().describe('the recording'),
  session_id: z.uuid().describe('the session that it is of'),
  port: z.string(),
  principal: z
    .strictObject({ kind: z.string(), id: z.string(), issuer: z.string() })
    .describe('whose session was recorded'),
  level: z.string().describe('`metadata`, `reference` or `full`'),
  tags: z
    .strictObject({ owner: z.string(), classification: z.string(), retention_ms: count.nullable() })
    .describe('from the policy; `retention_ms` is `null` where it is kept until somebody erases it'),
};
const recordingTotals = z
  .strictObject({ segments: count, items: count, records: count, bytes: count })
  .describe('what is on disk; `bytes` are of the files');
const recordingLoss = z
  .strictObject({ items: count, records: count, bytes: count })
  .describe('what flowed and is in no recording');
const recordingHmac = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe("HMAC-SHA-256 by one of the recording's own keys, in hex: `sluice replay` holds the files against it");
const doneAt = instant.describe('by the clock of who did it: a command waits for the gateway to enter it');
const byWhom = z.string().describe('the user and the machine, or `gateway`');

const sink = z.string().describe('`directory`, `command`, `s3`, `kafka` or `witness/NAME`');

export const schemas: { readonly [Code in EventCode]: z.ZodType<EventData[Code]> } = {
  'gateway.started': z.strictObject({
    version: z.string(),
    audit_mode: z.string().describe('`strict` or `available`'),
    ports: z.array(z.string()),
    policy_revision: z.string(),
  }),
  'gateway.stopped': z.strictObject({ reason: z.string() }),
  'worker.died': z.strictObject({
    worker: z.int().positive().describe('its number: from 1, never used again within a run'),
    cause: z.string(),
    connections: count.describe('client connections that ended with it'),
    windows_may_be_missing: z
      .strictObject({ start: instant, end: instant })
      .describe('flow windows of these sessions that ended in this time may not be in the log'),
    sessions: z.array(z.uuid()).describe('sessions that had connections there'),
    sessions_more: count.exactOptional().describe('sessions beyond those listed'),
  }),
  'worker.entries-lost': z.strictObject({ worker: z.int().positive(), count }),
  'policy.loaded': z.strictObject({
    revision: z.string(),
    previous_revision: z.string().describe('or `none`'),
    documents: z.array(z.string()).describe('names of the documents'),
  }),
  'policy.rejected': z.strictObject({
    revision_in_force: z.string().describe('the revision that stays, or `none`'),
    problems: z
      .array(z.strictObject({ path: z.string(), line: count, column: count, message: z.string() }))
      .describe('the first problems'),
    problems_total: count,
  }),
  'session.opened': z.strictObject({ ...sessionFields, credential, expires_at: expiresAt }),
  'session.closed': z.strictObject({ ...sessionFields, reason: z.string(), opened_at: instant, counters }),
  'authentication.failed': z.strictObject({
    port: z.string(),
    client,
    failure: because.describe('which check failed'),
    claimed: z
      .strictObject({ id: z.string(), issuer: z.string() })
      .describe('what the credential said of itself, unverified'),
    count: folded,
    more_addresses: z.literal(true).exactOptional().describe('`count` covers other addresses too'),
  }),
  'authentication.renewed': z.strictObject({
    ...sessionFields,
    credential,
    expires_at: expiresAt,
    previous_session_id: z.uuid().describe('the session that the connection was in before'),
  }),
  'operation.denied': z.strictObject({
    ...sessionFields,
    authorization,
    request,
    count: folded,
    more_resources: z.literal(true).exactOptional().describe('`count` covers other resources of the type too'),
  }),
  'operation.refused': z.strictObject({
    ...sessionFields,
    refusal: because.describe('why no rule could have permitted it'),
    request,
    count: folded,
  }),
  'flow.opened': z.strictObject({ ...sessionFields, authorization, request }),
  'flow.window': z.strictObject({
    ...sessionFields,
    flow,
    window: z.strictObject({ start: instant, end: instant }).describe('when it flowed'),
  }),
  'recording.started': z.strictObject(recordingFields),
  'recording.rotated': z.strictObject({
    ...recordingFields,
    segment: z.int().positive(),
    bytes: count.describe('of all segments so far'),
    digest: recordingHmac,
  }),
  'recording.closed': z.strictObject({ ...recordingFields, totals: recordingTotals, digest: recordingHmac }),
  'recording.failed': z.strictObject({
    ...recordingFields,
    cause: z.string(),
    totals: recordingTotals,
    lost: recordingLoss,
  }),
  'recording.lost': z.strictObject({ session_id: z.uuid(), cause: z.string(), lost: recordingLoss }),
  'recording.erased': z.strictObject({
    ...recordingFields,
    cause: z.string().describe('`retention` or `asked`'),
    by: byWhom,
    at: doneAt,
  }),
  'recording.read': z.strictObject({
    ...recordingFields,
    purpose: z.string().describe('what for: `replay`, `replay into TOPIC`, `verify`, …'),
    by: byWhom,
    at: doneAt,
  }),
  'log.queried': z.strictObject({
    query_id: z.uuid().describe('unique: an entry that is in the log twice, after a crash, has it twice'),
    asked_at: instant,
    by: z
      .strictObject({
        user: z.string().max(512),
        uid: z.int(),
        host: z.string().max(512),
        claimed: z.string().max(512),
      })
      .describe('the user of the operating system, and who the asker claims to be'),
    kind: z.enum(['filter', 'sql']),
    question: z.string().max(2_048).describe('the filter as canonical JSON, or the SQL; cut where it is long'),
    digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('SHA-256 of the whole question, in hex'),
    outcome: z.enum(['answered', 'refused', 'failed']),
    rows: count.describe('how many entries or rows were shown'),
    more: z.boolean().describe('whether there were more'),
    verified: z.boolean().describe('whether the log was verified first'),
    file_owner: z.int().describe('the user id that the question was left under, as the gateway found it'),
  }),
  'log.opened': z.strictObject({
    key: z.string().describe('the public key that signs the log, as a C2SP vkey'),
    tree_size: count.describe('entries before this run'),
    checkpoint_every_ms: count.describe('the log is signed at least so often'),
    checkpoint_entries: count.describe('and after so many entries'),
  }),
  'log.key-changed': z.strictObject({
    old_key: z.string().describe('the key that signed so far; it signs once more, together with the new one'),
    new_key: z.string().describe('the key that signs from here on'),
  }),
  'log.entries-missing': z.strictObject({
    segment: z.string(),
    cause: z.enum(['segment-gone', 'segment-shorter']),
    first_index: count.describe('position in the tree of the first that is missing, from 0'),
    count: z.int().nonnegative(),
  }),
  'log.recovered': z.strictObject({
    segment: z.string(),
    cause: z.enum(['not-closed', 'torn-line', 'write-failed']),
    complete_bytes: count.describe('bytes of the segment up to the end of its last complete line'),
    torn_bytes: count.describe(
      'bytes after it, which are no entry (at most so many where the cause is `write-failed`)',
    ),
    last_id: z.string().describe('the last complete entry'),
    last_time: z.string(),
  }),
  'log.entries-lost': z.strictObject({
    count: z.int().positive(),
    first_id: z.string(),
    last_id: z.string(),
    since: instant,
    until: instant,
    cause: z.string(),
  }),
  'log.tombstone': tombstone,
  'log.push-failing': z.strictObject({ sink, since: instant, cause: z.string() }),
  'log.push-restored': z.strictObject({
    sink,
    since: instant,
    failures: count.describe('attempts that failed since the start'),
  }),
  'log.closed': z.strictObject({
    entries: count.describe('entries of this run of the gateway, this one included'),
    lost: count,
  }),
};
