import { isOver } from './elapsed.ts';
import { nameData } from './entry-data.ts';
import { FlowCount, type FlowRoom } from './flow-room.ts';
import { OffsetRanges } from './offset-ranges.ts';
import type { FlowAccount, StandingFlow } from './contract.ts';

/** A topic as the log tells of it. */
export interface TopicName {
  /** As `nameData` gave it. */
  readonly told: string;
  /** `topic/` before it. */
  readonly subject: string;
}

/** What flowed in one partition since the last flush. */
export class FlowWindow {
  readonly operation: 'read' | 'write';
  readonly topic: TopicName;
  readonly partition: number;
  records = 0;
  recordsWithoutOffset = 0;
  bytes = 0;
  /** 0: nothing flowed. */
  requests = 0;
  startMs = 0;
  endMs = 0;
  /** No longer among its session's windows: what flows next opens another. */
  dropped = false;
  /** The flow that is counted here, where it was decided and stood then. */
  flow: StandingFlow | null = null;
  readonly #rangesMax: number;
  /** Made where what flowed is more than one stretch, or beyond what a number holds. */
  #ranges: OffsetRanges | null = null;
  // The stretch of offsets that flowed last, as plain numbers: what flows next mostly follows it, or is part of it again.
  #first = -1;
  #last = -1;

  constructor(operation: 'read' | 'write', topic: TopicName, partition: number, rangesMax: number) {
    this.operation = operation;
    this.topic = topic;
    this.partition = partition;
    this.#rangesMax = rangesMax;
  }

  /** Whether the ranges cover more than what flowed. */
  get approximate(): boolean {
    return this.#ranges !== null && this.#all().approximate;
  }

  /** Every offset so far: first and last of each range, as decimal strings. */
  ranges(): [string, string][] {
    if (this.#ranges !== null) return this.#all().toStrings();
    return this.#first === -1 ? [] : [[String(this.#first), String(this.#last)]];
  }

  add(flow: FlowAccount, nowMs: number): void {
    const { firstOffset, lastOffset, records, bytes } = flow;
    const first = Number(firstOffset);
    const last = Number(lastOffset);
    if (first >= 0 && last >= first && Number.isSafeInteger(last)) {
      this.addSafe(first, last, records, bytes, nowMs);
      return;
    }
    this.#count(records, bytes, nowMs);
    if (firstOffset >= 0n && lastOffset >= firstOffset) this.#all().add(firstOffset, lastOffset);
    else this.recordsWithoutOffset += records;
  }

  /** As `add`, of offsets that are safe integers, 0 ≤ first ≤ last: without making anything. */
  addSafe(first: number, last: number, records: number, bytes: number, nowMs: number): void {
    this.#count(records, bytes, nowMs);
    if (this.#first !== -1) {
      if (first >= this.#first && first <= this.#last + 1) {
        if (last > this.#last) this.#last = last;
        return;
      }
      this.#all();
    }
    this.#first = first;
    this.#last = last;
  }

  /** With the stretch that flowed last. */
  #all(): OffsetRanges {
    this.#ranges ??= new OffsetRanges(this.#rangesMax);
    if (this.#first !== -1) this.#ranges.add(BigInt(this.#first), BigInt(this.#last));
    this.#first = -1;
    return this.#ranges;
  }

  #count(records: number, bytes: number, nowMs: number): void {
    if (this.requests === 0) this.startMs = nowMs;
    this.endMs = nowMs;
    this.requests += 1;
    this.records += records;
    this.bytes += bytes;
  }

  reset(): void {
    this.#first = -1;
    this.#ranges = null;
    this.records = 0;
    this.recordsWithoutOffset = 0;
    this.bytes = 0;
    this.requests = 0;
  }
}

/** The windows of one topic, by partition. */
interface TopicWindows {
  readonly name: TopicName;
  readonly partitions: Map<number, FlowWindow>;
}

/** The windows of one session. A known flow is found by two look-ups, without making a key. */
export class FlowWindows {
  readonly #rangesMax: number;
  readonly #reads = new Map<string, TopicWindows>();
  readonly #writes = new Map<string, TopicWindows>();
  readonly #count: FlowCount;
  #full = false;
  /** When the first of the windows that are open began; -1 where none is. */
  #openedMs = -1;

  /** @param windowsMax at least 1; beyond it they take of the room */
  constructor(windowsMax: number, rangesMax: number, room: FlowRoom) {
    this.#count = new FlowCount(windowsMax, room);
    this.#rangesMax = rangesMax;
  }

  /** The window of one flow, opened where there is none; `null` where there is no room for it: flush, and ask again. */
  window(action: FlowAccount['action'], topic: string, partition: number): FlowWindow | null {
    const topics = action === 'read' ? this.#reads : this.#writes;
    return topics.get(topic)?.partitions.get(partition) ?? this.#open(topics, action, topic, partition);
  }

  /** As `window`, without opening one. */
  opened(action: FlowAccount['action'], topic: string, partition: number): FlowWindow | undefined {
    return (action === 'read' ? this.#reads : this.#writes).get(topic)?.partitions.get(partition);
  }

  /** Something was added to a window. */
  flowed(nowMs: number): void {
    if (this.#openedMs === -1) this.#openedMs = nowMs;
  }

  isDue(nowMs: number, windowMs: number): boolean {
    return this.#openedMs !== -1 && isOver(this.#openedMs, windowMs, nowMs);
  }

  /** Hands out every window in which something flowed, and drops those in which nothing did. */
  flush(write: (window: FlowWindow) => void): void {
    if (this.#openedMs === -1 && !this.#full) return;
    for (const topics of [this.#reads, this.#writes]) this.#flushTopics(topics, this.#full, write);
    this.#openedMs = -1;
    this.#full = false;
  }

  /** As `flush`, and drops all of them: nothing flows any more. */
  close(write: (window: FlowWindow) => void): void {
    this.#full = true;
    this.flush(write);
  }

  #open(
    topics: Map<string, TopicWindows>,
    action: FlowAccount['action'],
    topic: string,
    partition: number,
  ): FlowWindow | null {
    if (!this.#count.add()) {
      this.#full = true;
      return null;
    }
    let windows = topics.get(topic);
    if (windows === undefined) {
      windows = { name: topicName(topic), partitions: new Map() };
      topics.set(topic, windows);
    }
    const window = new FlowWindow(action, windows.name, partition, this.#rangesMax);
    windows.partitions.set(partition, window);
    return window;
  }

  #flushTopics(topics: Map<string, TopicWindows>, dropAll: boolean, write: (window: FlowWindow) => void): void {
    for (const [topic, { partitions }] of topics) {
      for (const [partition, window] of partitions) {
        const idle = window.requests === 0;
        if (!idle) write(window);
        if (idle || dropAll) {
          window.dropped = true;
          this.#count.remove(1);
          // All at once below, which is less work.
          if (!dropAll) partitions.delete(partition);
        } else window.reset();
      }
      if (dropAll || partitions.size === 0) topics.delete(topic);
    }
  }
}

function topicName(topic: string): TopicName {
  const told = nameData(topic);
  return { told, subject: `topic/${told}` };
}
