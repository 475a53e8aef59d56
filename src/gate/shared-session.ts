/** One session as the process that writes the log knows it: the parts that workers have of it, and what they add up to. */
import { auditEvent } from '../audit/audit.ts';
import type { EntryDraft, EventData, FlowData, SessionCounters, SessionData } from '../audit/audit.ts';
import { flowsPerSessionMax } from '../lib/limits.ts';
import { instant } from '../lib/instant.ts';

/** What is counted. A worker counts for itself and says so at the end; until then its entries are counted, for it may not live to say it. */
type Counters = { -readonly [Name in Exclude<keyof SessionCounters, 'entries' | 'flows'>]: number };

function noCounters(): Counters {
  return {
    connections: 0,
    denials: 0,
    refusals: 0,
    windows: 0,
    records_read: 0,
    records_written: 0,
    bytes_read: 0,
    bytes_written: 0,
  };
}

/** One worker's part. */
interface Part {
  connections: number;
  /** Its gate has the session open. */
  open: boolean;
  counted: Counters;
}

export class SharedSession {
  readonly id: string;
  readonly key: string;
  readonly principalKey: string;
  readonly port: string;
  /** `session.opened` is in the log. */
  opened = false;
  /** No further connection joins it. */
  sealed = false;
  /** Since when it waits for its clients to come back from a worker that died. */
  orphanedMs: number | null = null;
  readonly #parts = new Map<number, Part>();
  readonly #sums = noCounters();
  readonly #flows = new Set<string>();
  #flowsTold = 0;
  /** What the flows were told under. */
  #revision = '';
  #lostSeen = 0;
  #seq = 0;
  #openedMs = 0;
  #reason = '';
  /** What the last entry said of who it is about. */
  #about: Omit<SessionData, 'seq'> | null = null;

  constructor(id: string, key: string, principalKey: string, port: string) {
    this.id = id;
    this.key = key;
    this.principalKey = principalKey;
    this.port = port;
  }

  /** No worker has it. */
  get deserted(): boolean {
    return this.#parts.size === 0;
  }

  has(worker: number): boolean {
    return this.#parts.has(worker);
  }

  connected(worker: number): void {
    this.orphanedMs = null;
    const part = this.#parts.get(worker);
    if (part === undefined) this.#parts.set(worker, { connections: 1, open: false, counted: noCounters() });
    else part.connections += 1;
    this.#sums.connections += 1;
  }

  /** False where that worker has no connection to leave. */
  left(worker: number): boolean {
    const part = this.#parts.get(worker);
    if (part === undefined || part.connections === 0) return false;
    part.connections -= 1;
    this.#drop(worker, part);
    return true;
  }

  /** The worker has died. @returns the connections it had */
  lose(worker: number, nowMs: number): number {
    const part = this.#parts.get(worker);
    if (part === undefined) return 0;
    this.#parts.delete(worker);
    this.#add(part.counted);
    this.#reason = 'its worker died';
    if (this.#parts.size === 0 && this.opened && !this.sealed) this.orphanedMs = nowMs;
    return part.connections;
  }

  /**
   * @param lost entries of the log lost so far: a flow's may be among them
   * @returns what is to be written of a worker's entry; `null` where the log has it already, or not yet
   */
  take(worker: number, draft: EntryDraft, nowMs: number, lost: number): EntryDraft | null {
    if (lost !== this.#lostSeen) this.#flows.clear();
    this.#lostSeen = lost;
    const { seq: _, ...about } = draft.data as unknown as SessionData;
    const part = this.#parts.get(worker);
    this.#about = this.#aboutOf(about);
    switch (draft.code) {
      case 'session.opened':
        if (part !== undefined) part.open = true;
        if (this.opened) return null;
        this.opened = true;
        this.#openedMs = nowMs;
        break;
      case 'session.closed':
        if (part !== undefined) this.#partClosed(worker, part, draft.data as unknown as EventData['session.closed']);
        return null;
      case 'flow.opened':
        if (!this.#isNewFlow(draft.data as unknown as EventData['flow.opened'])) return null;
        break;
      default:
        if (part !== undefined) count(part.counted, draft);
    }
    return this.#numbered(draft);
  }

  /** The last entry; `null` where there was no first. */
  closing(): EntryDraft | null {
    if (!this.opened || this.#about === null) return null;
    for (const part of this.#parts.values()) this.#add(part.counted);
    const counters: SessionCounters = { ...this.#sums, entries: this.#seq + 1, flows: this.#flowsTold };
    this.#seq += 1;
    const last = { reason: this.#reason, opened_at: instant(this.#openedMs), counters };
    return auditEvent('session.closed', { ...this.#about, seq: this.#seq, ...last });
  }

  #numbered(draft: EntryDraft): EntryDraft {
    this.#seq += 1;
    return { ...draft, data: { ...draft.data, seq: this.#seq } };
  }

  #partClosed(worker: number, part: Part, { reason, counters }: EventData['session.closed']): void {
    part.open = false;
    this.#reason = reason;
    const { connections: _, ...rest } = counters;
    this.#add(rest);
    part.counted = noCounters();
    if (part.connections > 0) this.sealed = true;
    this.#drop(worker, part);
  }

  #drop(worker: number, part: Part): void {
    if (part.connections === 0 && !part.open) this.#parts.delete(worker);
  }

  #add(counters: Partial<Counters>): void {
    for (const name of Object.keys(this.#sums) as (keyof Counters)[]) this.#sums[name] += counters[name] ?? 0;
  }

  /** Each worker tells of a flow when it first sees it. Forgotten like the worker's own when there are too many, or under another revision. */
  #isNewFlow({ authorization, policy_revision }: EventData['flow.opened']): boolean {
    if (this.#revision !== policy_revision || this.#flows.size >= flowsPerSessionMax) this.#flows.clear();
    this.#revision = policy_revision;
    const { operation, resourceType, resourceName, patternType, rule } = authorization;
    const key = JSON.stringify([operation, resourceType, resourceName, patternType, rule]);
    if (this.#flows.has(key)) return false;
    this.#flows.add(key);
    this.#flowsTold += 1;
    return true;
  }

  #aboutOf({
    session_id,
    port,
    principal,
    client,
    policy_revision,
  }: Omit<SessionData, 'seq'>): Omit<SessionData, 'seq'> {
    return { session_id, port, principal, client, policy_revision };
  }
}

/** As the worker's own count, from what it has told. */
function count(counters: Counters, { code, data }: EntryDraft): void {
  if (code === 'operation.denied') counters.denials += Number(data['count']);
  else if (code === 'operation.refused') counters.refusals += Number(data['count']);
  else if (code === 'flow.window') {
    const flow = data['flow'] as unknown as FlowData;
    counters.windows += 1;
    if (flow.operation === 'read') {
      counters.records_read += flow.records;
      counters.bytes_read += flow.bytes;
    } else {
      counters.records_written += flow.records;
      counters.bytes_written += flow.bytes;
    }
  }
}
