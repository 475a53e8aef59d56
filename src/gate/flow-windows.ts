import { isOver } from './elapsed.ts';
import { OffsetRanges } from './offset-ranges.ts';
import type { FlowAccount } from './contract.ts';

/** What flowed in one partition since the last flush. */
export class FlowWindow {
  readonly operation: 'read' | 'write';
  readonly topic: string;
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
  readonly #ranges: OffsetRanges;
  // The stretch of offsets that flowed last, as plain numbers: what flows next mostly follows it.
  #first = -1;
  #last = -1;

  constructor(operation: 'read' | 'write', topic: string, partition: number, rangesMax: number) {
    this.operation = operation;
    this.topic = topic;
    this.partition = partition;
    this.#ranges = new OffsetRanges(rangesMax);
  }

  /** Every offset so far. */
  get ranges(): OffsetRanges {
    if (this.#first !== -1) this.#ranges.add(BigInt(this.#first), BigInt(this.#last));
    this.#first = -1;
    return this.#ranges;
  }

  add(flow: FlowAccount, nowMs: number): void {
    this.#count(flow.records, flow.bytes, nowMs);
    if (flow.firstOffset >= 0n && flow.lastOffset >= flow.firstOffset)
      this.ranges.add(flow.firstOffset, flow.lastOffset);
    else this.recordsWithoutOffset += flow.records;
  }

  /** As `add`, of offsets that are safe integers, 0 ≤ first ≤ last: without making anything. */
  addSafe(first: number, last: number, records: number, bytes: number, nowMs: number): void {
    this.#count(records, bytes, nowMs);
    if (this.#first !== -1) {
      if (first === this.#last + 1) {
        this.#last = last;
        return;
      }
      this.#ranges.add(BigInt(this.#first), BigInt(this.#last));
    }
    this.#first = first;
    this.#last = last;
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
    this.#ranges.clear();
    this.records = 0;
    this.recordsWithoutOffset = 0;
    this.bytes = 0;
    this.requests = 0;
  }
}

/** The windows of one session. A known flow is found by two look-ups, without making a key. */
export class FlowWindows {
  readonly #windowsMax: number;
  readonly #rangesMax: number;
  readonly #reads = new Map<string, Map<number, FlowWindow>>();
  readonly #writes = new Map<string, Map<number, FlowWindow>>();
  #count = 0;
  /** When the first of the windows that are open began; -1 where none is. */
  #openedMs = -1;

  constructor(windowsMax: number, rangesMax: number) {
    this.#windowsMax = windowsMax;
    this.#rangesMax = rangesMax;
  }

  /** The window of one flow, opened where there is none; `null` where there is no room for it: flush, and ask again. */
  window(action: FlowAccount['action'], topic: string, partition: number): FlowWindow | null {
    const topics = action === 'read' ? this.#reads : this.#writes;
    return topics.get(topic)?.get(partition) ?? this.#open(topics, action, topic, partition);
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
    const full = this.#count >= this.#windowsMax;
    if (this.#openedMs === -1 && !full) return;
    for (const topics of [this.#reads, this.#writes]) this.#flushTopics(topics, full, write);
    this.#openedMs = -1;
  }

  #open(
    topics: Map<string, Map<number, FlowWindow>>,
    action: FlowAccount['action'],
    topic: string,
    partition: number,
  ): FlowWindow | null {
    if (this.#count >= this.#windowsMax) return null;
    const partitions = topics.get(topic) ?? new Map<number, FlowWindow>();
    const window = new FlowWindow(action, topic, partition, this.#rangesMax);
    partitions.set(partition, window);
    topics.set(topic, partitions);
    this.#count += 1;
    return window;
  }

  #flushTopics(
    topics: Map<string, Map<number, FlowWindow>>,
    dropAll: boolean,
    write: (window: FlowWindow) => void,
  ): void {
    for (const [topic, partitions] of topics) {
      for (const [partition, window] of partitions) {
        const idle = window.requests === 0;
        if (!idle) write(window);
        if (idle || dropAll) {
          partitions.delete(partition);
          window.dropped = true;
          this.#count -= 1;
        } else window.reset();
      }
      if (partitions.size === 0) topics.delete(topic);
    }
  }
}
