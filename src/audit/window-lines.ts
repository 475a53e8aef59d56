/**
 * The lines of flow windows, the one kind of entry that comes by the thousand: the same bytes as `entryLine` gives, put
 * together in place. What all windows of a session have in common is kept as bytes, and whatever is not as the gate makes
 * it is left to `entryLine`: nothing is taken for granted of data that may come from another process.
 */
import { canonicalText, isConstant } from './canonical-json.ts';
import type { EntryDraft } from './draft.ts';
import { typePrefix } from './envelope.ts';
import type { EventData, FlowData } from './events.ts';
import { PlainText } from './plain-text.ts';

type WindowData = EventData['flow.window'];
type Unchecked<Data> = { readonly [Name in keyof Data]: unknown };

const code = 'flow.window';
/** A field that is added to an event is missed here: by the compiler, and then by `hasFields`. */
const dataFields = countOf<keyof WindowData>({
  client: true,
  flow: true,
  policy_revision: true,
  port: true,
  principal: true,
  seq: true,
  session_id: true,
  window: true,
});
const flowFields = countOf<keyof FlowData>({
  approximate: true,
  bytes: true,
  operation: true,
  partition: true,
  ranges: true,
  records: true,
  records_without_offset: true,
  requests: true,
  topic: true,
});
const spanFields = countOf<keyof WindowData['window']>({ end: true, start: true });

const pieces = {
  exact: Buffer.from('false,"bytes":'),
  approximate: Buffer.from('true,"bytes":'),
  read: Buffer.from(',"operation":"read","partition":'),
  write: Buffer.from(',"operation":"write","partition":'),
  ranges: Buffer.from(',"ranges":['),
  range: Buffer.from('["'),
  nextRange: Buffer.from(',["'),
  rangeTo: Buffer.from('","'),
  rangeEnd: Buffer.from('"]'),
  records: Buffer.from('],"records":'),
  recordsWithoutOffset: Buffer.from(',"records_without_offset":'),
  requests: Buffer.from(',"requests":'),
} as const;

export class WindowLines {
  readonly #text = new PlainText();
  readonly #beforeNumber: Buffer;
  readonly #topic = new RepeatedText(',"topic":', '}');
  readonly #spanEnd = new RepeatedText('"end":', ',"start":');
  readonly #spanStart = new RepeatedText('', '}}');
  readonly #subject: RepeatedText;
  readonly #time = new RepeatedText(',"time":', `,"type":"${typePrefix}${code}"}\n`);
  /** The session whose windows came last: they come one after the other. */
  #session: SessionPieces | null = null;

  /** @param run the id of an entry is `RUN.NUMBER` */
  constructor(run: string, source: string) {
    const id = JSON.stringify(`${run}.`).slice(0, -1);
    this.#beforeNumber = Buffer.from(`,"datacontenttype":"application/json","id":${id}`);
    this.#subject = new RepeatedText(`","source":${JSON.stringify(source)},"specversion":"1.0","subject":`, '');
  }

  /**
   * Writes the line with its line end from `at` on.
   *
   * @param time RFC 3339 in UTC
   * @returns where it ends; -1 where `entryLine` has to make it, or `into` has no room for it
   */
  write(draft: EntryDraft, number: number, time: string, into: Uint8Array, at: number): number {
    if (draft.code !== code || !hasFields<WindowData>(draft.data, dataFields)) return -1;
    const { flow, seq, window } = draft.data;
    const session = this.#piecesFor(draft.data);
    if (session === null || !hasFields<FlowData>(flow, flowFields)) return -1;
    if (!hasFields<WindowData['window']>(window, spanFields)) return -1;
    const text = this.#text;
    text.begin(into, at);
    text.bytes(session.beforeFlow);
    this.#flow(flow);
    text.bytes(session.beforeSeq);
    text.count(seq);
    text.bytes(session.beforeSpan);
    text.bytes(this.#spanEnd.of(window.end));
    text.bytes(this.#spanStart.of(window.start));
    text.bytes(this.#beforeNumber);
    text.count(number);
    text.bytes(this.#subject.of(draft.subject));
    text.bytes(this.#time.of(time));
    return text.end();
  }

  #flow(flow: Unchecked<FlowData>): void {
    const text = this.#text;
    text.bytes(flow.approximate === false ? pieces.exact : flow.approximate === true ? pieces.approximate : undefined);
    text.count(flow.bytes);
    text.bytes(flow.operation === 'read' ? pieces.read : flow.operation === 'write' ? pieces.write : undefined);
    text.count(flow.partition);
    text.bytes(pieces.ranges);
    this.#ranges(flow.ranges);
    text.bytes(pieces.records);
    text.count(flow.records);
    text.bytes(pieces.recordsWithoutOffset);
    text.count(flow.records_without_offset);
    text.bytes(pieces.requests);
    text.count(flow.requests);
    text.bytes(this.#topic.of(flow.topic));
  }

  #ranges(ranges: unknown): void {
    const text = this.#text;
    if (!Array.isArray(ranges)) return text.fail();
    for (let i = 0; i < ranges.length; i += 1) {
      const range: unknown = ranges[i];
      if (!Array.isArray(range) || range.length !== 2) return text.fail();
      text.bytes(i === 0 ? pieces.range : pieces.nextRange);
      text.string(range[0]);
      text.bytes(pieces.rangeTo);
      text.string(range[1]);
      text.bytes(pieces.rangeEnd);
    }
  }

  #piecesFor(data: Unchecked<WindowData>): SessionPieces | null {
    if (this.#session === null || !isOf(this.#session, data)) this.#session = piecesFor(data);
    return this.#session;
  }
}

/** A text that mostly is the one before, as it stands in a line. */
class RepeatedText {
  readonly #before: string;
  readonly #after: string;
  #text: string | null = null;
  #bytes: Buffer | undefined = undefined;

  constructor(before: string, after: string) {
    this.#before = before;
    this.#after = after;
  }

  /** `undefined` where it is no text that can be written. */
  of(text: unknown): Buffer | undefined {
    if (text === this.#text) return this.#bytes;
    if (typeof text !== 'string' || !text.isWellFormed()) return undefined;
    this.#text = text;
    this.#bytes = Buffer.from(`${this.#before}${canonicalText(text)}${this.#after}`);
    return this.#bytes;
  }
}

/** What all windows of a session say, and how that stands in their lines. */
interface SessionPieces extends Pick<Unchecked<WindowData>, SessionField> {
  readonly beforeFlow: Buffer;
  readonly beforeSeq: Buffer;
  readonly beforeSpan: Buffer;
}

type SessionField = 'client' | 'policy_revision' | 'port' | 'principal' | 'session_id';

/** What is constant is the same where it is the same object. */
function isOf(session: SessionPieces, data: Unchecked<WindowData>): boolean {
  return (
    session.session_id === data.session_id &&
    session.client === data.client &&
    session.principal === data.principal &&
    session.policy_revision === data.policy_revision &&
    session.port === data.port
  );
}

function piecesFor({
  client,
  policy_revision,
  port,
  principal,
  session_id,
}: Unchecked<WindowData>): SessionPieces | null {
  if (!isConstant(client) || !isConstant(principal)) return null;
  if (typeof port !== 'string' || typeof policy_revision !== 'string' || typeof session_id !== 'string') return null;
  const about = `"policy_revision":${canonicalText(policy_revision)},"port":${canonicalText(port)}`;
  return {
    client,
    policy_revision,
    port,
    principal,
    session_id,
    beforeFlow: Buffer.from(`{"data":{"client":${canonicalText(client)},"flow":{"approximate":`),
    beforeSeq: Buffer.from(`,${about},"principal":${canonicalText(principal)},"seq":`),
    beforeSpan: Buffer.from(`,"session_id":${canonicalText(session_id)},"window":{`),
  };
}

/** Whether it is a plain object with so many fields. */
function hasFields<Data extends object>(value: unknown, count: number): value is Unchecked<Data> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.keys(value).length === count
  );
}

function countOf<Name extends string>(names: Readonly<Record<Name, true>>): number {
  return Object.keys(names).length;
}
