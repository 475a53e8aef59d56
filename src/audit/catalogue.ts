/** Every entry that the audit log can hold: how bad it is, whether its operation waits for it, and one line for people. */
import type { Entry } from '../model/entry.ts';
import { typePrefix } from './envelope.ts';
import type { AuthorizationData, EventCode, EventData, FlowData, RecordingData, SessionData } from './events.ts';

export type Severity = 'info' | 'notice' | 'warning' | 'error';

export interface EventSpec<Data> {
  readonly severity: Severity;
  /** True where the entry must be on disk before what it tells of takes effect. */
  readonly durable: boolean;
  /** The class of the Open Cybersecurity Schema Framework that comes closest. */
  readonly ocsfClass: number;
  /** When it is written, for docs/audit.md. */
  readonly summary: string;
  readonly render: (data: Data) => string;
}

const ocsfAuthentication = 3002;
const ocsfLifecycle = 6002;
const ocsfApiActivity = 6003;

export const catalogue: { readonly [Code in EventCode]: EventSpec<EventData[Code]> } = {
  'gateway.started': {
    severity: 'notice',
    durable: true,
    ocsfClass: ocsfLifecycle,
    summary: 'The gateway begins to serve.',
    render: (data) =>
      `gateway ${data.version} started, ports ${list(data.ports)}, audit ${data.audit_mode}, policy ${short(data.policy_revision)}`,
  },
  'gateway.stopped': {
    severity: 'notice',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'The gateway ends in good order.',
    render: (data) => `gateway stopped: ${data.reason}`,
  },
  'worker.died': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A worker process ended without being asked to. Flow windows that it had not told yet are missing.',
    render: (data) =>
      `worker ${data.worker} died (${data.cause}) with ${data.connections} connections of ${data.sessions.length + (data.sessions_more ?? 0)} sessions; ` +
      `flow windows from ${data.windows_may_be_missing.start} to ${data.windows_may_be_missing.end} may be missing`,
  },
  'worker.entries-lost': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A worker could not keep entries while the process that writes the log did not take them.',
    render: (data) => `worker ${data.worker} lost ${data.count} entries`,
  },
  'policy.loaded': {
    severity: 'notice',
    durable: true,
    ocsfClass: ocsfLifecycle,
    summary: 'A policy revision is about to come into force.',
    render: (data) =>
      `policy ${short(data.revision)} in force instead of ${short(data.previous_revision)}: ${list(data.documents)}`,
  },
  'policy.rejected': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'Policy documents are broken; the revision in force stays.',
    render: (data) => {
      const first = data.problems[0];
      const where = first === undefined ? '' : `: ${first.path}:${first.line}:${first.column} ${first.message}`;
      return `policy with ${data.problems_total} problem(s) rejected, ${short(data.revision_in_force)} stays in force${where}`;
    },
  },
  'session.opened': {
    severity: 'info',
    durable: true,
    ocsfClass: ocsfAuthentication,
    summary: 'A principal proved who it is and gets a session.',
    render: (data) => `${who(data)} opened session ${data.session_id} on port ${data.port} (${data.client.mechanism})`,
  },
  'session.closed': {
    severity: 'info',
    durable: false,
    ocsfClass: ocsfAuthentication,
    summary: 'The last connection of a session left and none came back, or the gateway ends.',
    render: (data) =>
      `${who(data)} session ${data.session_id} closed (${data.reason}): ${data.counters.records_read} records read, ` +
      `${data.counters.records_written} written, ${data.counters.denials} denials, ${data.counters.entries} entries`,
  },
  'authentication.failed': {
    severity: 'warning',
    durable: false,
    ocsfClass: ocsfAuthentication,
    summary: 'A credential was refused. Equal failures of one address within a second become one entry with a count.',
    render: (data) =>
      `authentication from ${data.client.address} on port ${data.port} failed${times(data.count)}: ${data.failure.code}, ${data.failure.detail}` +
      (data.claimed.id === '' ? '' : ` (claimed to be ${data.claimed.id} of ${data.claimed.issuer})`),
  },
  'authentication.renewed': {
    severity: 'info',
    durable: true,
    ocsfClass: ocsfAuthentication,
    summary: 'A connection authenticated again before its credential died.',
    render: (data) => `${who(data)} authenticated again, credential valid until ${data.expires_at ?? 'revoked'}`,
  },
  'operation.denied': {
    severity: 'warning',
    durable: true,
    ocsfClass: ocsfApiActivity,
    summary: 'The policy denies an operation. Equal denials within a second become one more entry with a count.',
    render: (data) =>
      `${who(data)} was denied ${what(data.authorization)} by ${ruleName(data.authorization)}${times(data.count)} [${data.request}]`,
  },
  'operation.refused': {
    severity: 'warning',
    durable: true,
    ocsfClass: ocsfApiActivity,
    summary: 'A request that no rule could permit: unknown, malformed or forged.',
    render: (data) =>
      `${who(data)} was refused ${data.request}${times(data.count)}: ${data.refusal.code}, ${data.refusal.detail}`,
  },
  'flow.opened': {
    severity: 'info',
    durable: true,
    ocsfClass: ocsfApiActivity,
    summary: 'The first use in a session of one action on one resource by one rule.',
    render: (data) =>
      `${who(data)} may ${what(data.authorization)} by ${ruleName(data.authorization)} [${data.request}]`,
  },
  'flow.window': {
    severity: 'info',
    durable: false,
    ocsfClass: ocsfApiActivity,
    summary: 'What flowed in one partition of a topic in one window of time, as offset ranges and counts.',
    render: (data) =>
      `${who(data)} ${data.flow.operation === 'read' ? 'read' : 'wrote'} ${data.flow.records} records (${data.flow.bytes} bytes) ` +
      `of ${data.flow.topic}-${data.flow.partition}: ${offsets(data.flow)}`,
  },
  'recording.started': {
    severity: 'info',
    durable: true,
    ocsfClass: ocsfLifecycle,
    summary: 'A grant obliges to record, and a recording of the session begins.',
    render: (data) => `recording ${data.recording} (${data.level}) of ${recorded(data)} started`,
  },
  'recording.rotated': {
    severity: 'info',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A segment of a recording is full and sealed; the recording goes on in the next.',
    render: (data) => `recording ${data.recording} of ${recorded(data)} filled segment ${data.segment}`,
  },
  'recording.closed': {
    severity: 'info',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A recording is sealed and whole on disk.',
    render: (data) =>
      `recording ${data.recording} of ${recorded(data)} closed: ${data.totals.records} records, ${data.totals.bytes} bytes in ${data.totals.segments} segments`,
  },
  'recording.failed': {
    severity: 'error',
    durable: true,
    ocsfClass: ocsfLifecycle,
    summary: 'A recording could not be written. In strict mode its session ends; what is on disk stays readable.',
    render: (data) =>
      `recording ${data.recording} of ${recorded(data)} failed after ${data.totals.records} records, ${data.lost.records} more are lost: ${data.cause}`,
  },
  'recording.lost': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'In available mode: what flowed in a session and was not recorded, since it was last told.',
    render: (data) => `${data.lost.records} records of session ${data.session_id} were not recorded: ${data.cause}`,
  },
  'recording.erased': {
    severity: 'notice',
    durable: true,
    ocsfClass: ocsfLifecycle,
    summary: 'The key of a recording was destroyed: nobody can read it again.',
    render: (data) => `recording ${data.recording} of ${recorded(data)} erased by ${data.by} (${data.cause})`,
  },
  'recording.read': {
    severity: 'notice',
    durable: true,
    ocsfClass: ocsfApiActivity,
    summary: 'Somebody reads a recording; entered before anything is shown.',
    render: (data) => `${data.by} reads recording ${data.recording} of ${recorded(data)}: ${data.purpose}`,
  },
  'log.queried': {
    severity: 'notice',
    durable: true,
    ocsfClass: ocsfApiActivity,
    summary: 'Somebody asked about the log with `sluice audit query`; left for the gateway before anything was shown.',
    render: (data) =>
      `${data.by.user} (${data.file_owner}) at ${data.by.host}${data.by.claimed === '' ? '' : `, as ${data.by.claimed},`} asked ${data.question}: ` +
      `${data.outcome}, ${data.rows} rows`,
  },
  'log.opened': {
    severity: 'info',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A run of the gateway begins to write the log.',
    render: (data) => `audit log opened behind ${data.tree_size} entries, signed by ${data.key}`,
  },
  'log.key-changed': {
    severity: 'notice',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'Another key signs the log from here on. The checkpoint over this entry is signed by both.',
    render: (data) => `${data.new_key} signs the audit log instead of ${data.old_key}`,
  },
  'log.entries-missing': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'Entries that a checkpoint covers were gone from the folder when the gateway started.',
    render: (data) =>
      `${data.count} entries of ${data.segment} are gone, from position ${data.first_index} (${data.cause})`,
  },
  'log.recovered': {
    severity: 'warning',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'An earlier run of the gateway, or a failed write, left a segment unfinished. Its bytes stay as they are.',
    render: (data) =>
      `${data.segment} was left unfinished (${data.cause}): ${data.complete_bytes} bytes are whole, ${data.torn_bytes} are not`,
  },
  'log.entries-lost': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'Entries could not be kept while the log could not be written.',
    render: (data) => `${data.count} entries were lost between ${data.since} and ${data.until}: ${data.cause}`,
  },
  'log.tombstone': {
    severity: 'notice',
    durable: true,
    ocsfClass: ocsfLifecycle,
    summary: 'Retention is about to remove segments. It stands for them: what can be verified stays so without them.',
    render: (data) =>
      `${data.entries} entries removed by retention (${data.policy}), ${data.first_segment} to ${data.last_segment}, positions ${data.first_index} to ${data.first_index + data.entries - 1}`,
  },
  'log.push-failing': {
    severity: 'error',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A place that checkpoints go to has taken none for five minutes.',
    render: (data) => `no checkpoint has reached ${data.sink} since ${data.since}: ${data.cause}`,
  },
  'log.push-restored': {
    severity: 'notice',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'A place that was told of by `log.push-failing` takes checkpoints again.',
    render: (data) => `checkpoints reach ${data.sink} again, which they had not since ${data.since}`,
  },
  'log.closed': {
    severity: 'info',
    durable: false,
    ocsfClass: ocsfLifecycle,
    summary: 'The last entry of a run that ended in good order.',
    render: (data) => `audit log closed after ${data.entries} entries, ${data.lost} lost`,
  },
};

export function isEventCode(code: string): code is EventCode {
  return Object.hasOwn(catalogue, code);
}

/** Unknown codes must be durable too: an entry is not less important for being new. */
export function mustBeDurable(code: string): boolean {
  return !isEventCode(code) || catalogue[code].durable;
}

/** One line for people: time, severity, code, what happened. An entry of another version is shown by its code alone. */
export function renderEntry(entry: Entry): string {
  const code = entry.type.startsWith(typePrefix) ? entry.type.slice(typePrefix.length) : entry.type;
  if (!isEventCode(code)) return `${entry.time} ${code}`;
  return `${entry.time} ${catalogue[code].severity.padEnd(7)} ${code.padEnd(22)} ${renderData(code, entry.data)}`;
}

function renderData(code: EventCode, data: Entry['data']): string {
  // The code tells the shape; the pair cannot be expressed in types after both came from a file.
  const render = catalogue[code].render as (data: unknown) => string;
  try {
    return render(data);
  } catch {
    return '(its data is not what its code asks for)';
  }
}

function recorded({ principal, session_id }: RecordingData): string {
  return `${principal.kind} ${principal.id} of ${principal.issuer}, session ${session_id}`;
}

function who(data: SessionData): string {
  return `${data.principal.kind} ${data.principal.id} of ${data.principal.issuer} at ${data.client.address}`;
}

function what(authorization: AuthorizationData): string {
  const partition = authorization.partition === undefined ? '' : ` partition ${authorization.partition}`;
  const name = authorization.patternType === 'any' ? 'any' : authorization.resourceName;
  return `${authorization.operation} ${authorization.resourceType} ${name}${partition}`;
}

function ruleName(authorization: AuthorizationData): string {
  const { rule, reason } = authorization;
  return rule === null ? reason : `${rule.policy} ${rule.effect}[${rule.index}] (${rule.source})`;
}

function offsets(flow: FlowData): string {
  const ranges = flow.ranges.map(([first, last]) => (first === last ? first : `${first}–${last}`)).join(', ');
  const untold = flow.records_without_offset > 0 ? [`${flow.records_without_offset} without offsets`] : [];
  const told = ranges === '' ? [] : [`offsets ${ranges}${flow.approximate ? ' (approximate)' : ''}`];
  return [...told, ...untold].join(', ');
}

function times(count: number): string {
  return count === 1 ? '' : ` ${count} times`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function short(revision: string): string {
  return revision.slice(0, 12);
}
