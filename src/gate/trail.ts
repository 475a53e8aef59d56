import { auditEvent, catalogue } from '../audit/audit.ts';
import type { AuditLog, AuditStatus, EventCode, EventData, SessionData } from '../audit/audit.ts';
import { SluiceError } from '../lib/errors.ts';
import {
  auditDetailCharsMax,
  flowWindowsPerSessionMax,
  flowWindowsSharedMax,
  flowsPerSessionMax,
  flowsSharedMax,
  foldMs,
  foldsPerSessionMax,
  offsetRangesPerWindowMax,
} from '../lib/limits.ts';
import { instant } from '../lib/instant.ts';
import { printable } from '../lib/printable.ts';
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { FlowAccount, StandingFlow } from './contract.ts';
import type { Durability } from './durability.ts';
import { authorizationData, nameData } from './entry-data.ts';
import type { Decided } from './entry-data.ts';
import { FlowRoom } from './flow-room.ts';
import { FlowWindows } from './flow-windows.ts';
import type { FlowWindow } from './flow-windows.ts';
import { Folds } from './folds.ts';
import { KnownFlows } from './known-flows.ts';
import { flowData } from './window-data.ts';

/** What a code's data holds beyond what every entry about a session does. */
type Beyond<Code extends EventCode> = Omit<EventData[Code], keyof SessionData>;

/** The codes whose data is about a session. */
type SessionCode = { [Code in EventCode]: EventData[Code] extends SessionData ? Code : never }[EventCode];

/** Of all sessions of this process. */
const sharedFlows = new FlowRoom(flowsSharedMax);
const sharedWindows = new FlowRoom(flowWindowsSharedMax);

/** One session's part of the audit log: its entries in sequence, the flows it has told of, what it folds and counts. */
export class SessionTrail {
  readonly #audit: AuditLog;
  readonly #status: AuditStatus;
  readonly #durability: Durability;
  #about: Omit<SessionData, 'seq' | 'policy_revision'>;
  readonly #flows = new KnownFlows(flowsPerSessionMax, sharedFlows);
  readonly #folds = new Folds(foldMs, foldsPerSessionMax);
  readonly #windows = new FlowWindows(flowWindowsPerSessionMax, offsetRangesPerWindowMax, sharedWindows);
  readonly #counters = {
    denials: 0,
    refusals: 0,
    flows: 0,
    windows: 0,
    recordsRead: 0,
    recordsWritten: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
  #seq = 0;
  #closed = false;
  #revision: string;
  #lostSeen: number;

  constructor(
    audit: AuditLog,
    durability: Durability,
    about: Omit<SessionData, 'seq' | 'policy_revision'>,
    revision: string,
  ) {
    this.#audit = audit;
    this.#status = audit.status();
    this.#durability = durability;
    this.#about = about;
    this.#revision = revision;
    this.#lostSeen = this.#status.lost;
  }

  /** What is known of the client by now; entries from here on carry it. */
  describeClient(client: SessionData['client']): void {
    this.#about = { ...this.#about, client };
  }

  get entries(): number {
    return this.#seq;
  }

  /** An entry of this session, now. After `session.closed` there is none. */
  write<Code extends SessionCode>(code: Code, beyond: Beyond<Code>, subject?: string): void {
    if (this.#closed) return;
    this.#seq += 1;
    const data = { ...this.#about, seq: this.#seq, policy_revision: this.#revision, ...beyond };
    // The compiler cannot put the two halves of a generic type together again.
    this.#audit.append(auditEvent(code, data as unknown as EventData[Code], subject));
    if (catalogue[code].durable) this.#durability.note();
  }

  permitted(
    decision: Decision,
    action: Action,
    resourceType: ResourceType,
    name: string,
    any: boolean,
    request: string,
  ): void {
    if (this.#status.lost !== this.#lostSeen) this.#forgetFlows();
    if (this.#flows.has(action, resourceType, name, any, decision.rule)) return;
    const told = nameData(name);
    // A name that was cut is remembered as it was told, so that long names cannot fill the memory.
    if (told !== name && this.#flows.has(action, resourceType, told, any, decision.rule)) return;
    this.#flows.add(action, resourceType, told, any, decision.rule);
    this.#counters.flows += 1;
    const authorization = authorizationData({ decision, action, resourceType, name: told, partition: -1, any });
    this.write('flow.opened', { authorization, request: nameData(request) }, `${resourceType}/${told}`);
  }

  denied(asked: Decided, request: string, nowMs: number): void {
    this.#counters.denials += 1;
    const decided = { ...asked, name: nameData(asked.name) };
    const { action, resourceType, partition, any, name } = decided;
    const { rule, reason } = decided.decision;
    const by = rule === null ? reason : `${rule.policy} ${rule.effect} ${rule.index}`;
    const key = JSON.stringify([action, resourceType, partition, any, request, by, name]);
    this.#folds.add(key, `denied ${action} ${resourceType}`, nowMs, (count, more) => {
      const data = { authorization: authorizationData(decided), request: nameData(request), count };
      this.write('operation.denied', more ? { ...data, more_resources: true } : data, `${resourceType}/${name}`);
    });
  }

  refused(code: string, detail: string, request: string, nowMs: number): void {
    this.#counters.refusals += 1;
    this.#folds.add(JSON.stringify([code, request]), `refused ${code}`, nowMs, (count) => {
      const refusal = { code, detail: printable(detail, auditDetailCharsMax) };
      this.write('operation.refused', { refusal, request: nameData(request), count });
    });
  }

  account(flow: FlowAccount, nowMs: number): void {
    this.window(flow.action, flow.topic, flow.partition).add(flow, nowMs);
    this.flowed(flow.action, flow.records, flow.bytes, nowMs);
  }

  /** The window in which a flow is counted now. */
  window(action: FlowAccount['action'], topic: string, partition: number): FlowWindow {
    const window = this.#windows.window(action, topic, partition);
    if (window !== null) return window;
    this.#writeWindows();
    return this.#windows.window(action, topic, partition) ?? unreachable();
  }

  /** The flow, where it was decided and has been counted since. Whether it still stands is for the session to say. */
  flow(action: FlowAccount['action'], topic: string, partition: number): StandingFlow | null {
    return this.#windows.opened(action, topic, partition)?.flow ?? null;
  }

  /** Something was added to a window. */
  flowed(action: FlowAccount['action'], records: number, bytes: number, nowMs: number): void {
    this.#windows.flowed(nowMs);
    if (action === 'read') {
      this.#counters.recordsRead += records;
      this.#counters.bytesRead += bytes;
    } else {
      this.#counters.recordsWritten += records;
      this.#counters.bytesWritten += bytes;
    }
  }

  /** Entries lost so far: flows that were told of before the last of them count as not told of. */
  get lost(): number {
    return this.#status.lost;
  }

  /** Whether the log tells of this flow on a topic already. */
  tells(decision: Decision, action: Action, topic: string): boolean {
    return (
      !this.#closed &&
      this.#status.lost === this.#lostSeen &&
      this.#flows.has(action, 'topic', nameData(topic), false, decision.rule)
    );
  }

  /** Another revision is in force: what flowed is told under the old one, and each flow is told anew under the new. */
  revise(revision: string): void {
    this.flush();
    this.#revision = revision;
    this.#flows.clear();
  }

  /** Writes what is due. */
  sweep(nowMs: number, windowMs: number): void {
    this.#folds.sweep(nowMs);
    if (this.#windows.isDue(nowMs, windowMs)) this.#writeWindows();
  }

  /** Writes all that is counted but not yet told. */
  flush(): void {
    this.#folds.flush();
    this.#writeWindows();
  }

  /** The last entry of the session. */
  close(reason: string, openedMs: number, connections: number): void {
    this.#folds.flush();
    this.#windows.close((window) => this.#writeWindow(window));
    this.#flows.clear();
    const counters = {
      entries: this.#seq + 1,
      connections,
      denials: this.#counters.denials,
      refusals: this.#counters.refusals,
      flows: this.#counters.flows,
      windows: this.#counters.windows,
      records_read: this.#counters.recordsRead,
      records_written: this.#counters.recordsWritten,
      bytes_read: this.#counters.bytesRead,
      bytes_written: this.#counters.bytesWritten,
    };
    this.write('session.closed', { reason: nameData(reason), opened_at: instant(openedMs), counters });
    this.#closed = true;
  }

  #writeWindows(): void {
    this.#windows.flush((window) => this.#writeWindow(window));
  }

  #writeWindow(window: FlowWindow): void {
    this.#counters.windows += 1;
    if (this.#closed) return;
    this.#seq += 1;
    const flow = flowData(window);
    const span = { end: instant(window.endMs), start: instant(window.startMs) };
    // The one entry that comes by the thousand: as `write` would, in the order in which it is written.
    const { client, port, principal, session_id } = this.#about;
    const revision = this.#revision;
    const data = { client, flow, policy_revision: revision, port, principal, seq: this.#seq, session_id, window: span };
    this.#audit.append(auditEvent('flow.window', data, window.topic.subject));
  }

  /** Entries were lost, and a flow's may be among them: each is told again when it is used next. */
  #forgetFlows(): void {
    this.#lostSeen = this.#status.lost;
    this.#flows.clear();
  }
}

/** A flush leaves room: it drops every window that it finds full. */
function unreachable(): never {
  throw new SluiceError('defect', 'A session has no room for a flow window after it has written them all.');
}
