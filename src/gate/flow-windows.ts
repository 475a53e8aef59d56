import { isOver } from './elapsed.ts';
import { OffsetRanges } from './offset-ranges.ts';
import type { FlowAccount } from './contract.ts';

/** What flowed in one partition since the last flush. */
export class FlowWindow {
  readonly operation: 'read' | 'write';
  readonly topic: string;
  readonly partition: number;
  readonly ranges: OffsetRanges;
  records = 0;
  recordsWithoutOffset = 0;
  bytes = 0;
  /** 0: nothing flowed. */
  requests = 0;
  startMs = 0;
  endMs = 0;

  constructor(flow: FlowAccount, rangesMax: number) {
    this.operation = flow.action;
    this.topic = flow.topic;
    this.partition = flow.partition;
    this.ranges = new OffsetRanges(rangesMax);
  }

  add(flow: FlowAccount, nowMs: number): void {
    if (this.requests === 0) this.startMs = nowMs;
    this.endMs = nowMs;
    this.requests += 1;
    this.records += flow.records;
    this.bytes += flow.bytes;
    if (flow.firstOffset >= 0n && flow.lastOffset >= flow.firstOffset)
      this.ranges.add(flow.firstOffset, flow.lastOffset);
    else this.recordsWithoutOffset += flow.records;
  }

  reset(): void {
    this.ranges.clear();
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

  /** False where there is no room for another window: flush, and account again. */
  account(flow: FlowAccount, nowMs: number): boolean {
    const topics = flow.action === 'read' ? this.#reads : this.#writes;
    const window = topics.get(flow.topic)?.get(flow.partition) ?? this.#open(topics, flow);
    if (window === null) return false;
    window.add(flow, nowMs);
    if (this.#openedMs === -1) this.#openedMs = nowMs;
    return true;
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

  #open(topics: Map<string, Map<number, FlowWindow>>, flow: FlowAccount): FlowWindow | null {
    if (this.#count >= this.#windowsMax) return null;
    const partitions = topics.get(flow.topic) ?? new Map<number, FlowWindow>();
    const window = new FlowWindow(flow, this.#rangesMax);
    partitions.set(flow.partition, window);
    topics.set(flow.topic, partitions);
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
          this.#count -= 1;
        } else window.reset();
      }
      if (partitions.size === 0) topics.delete(topic);
    }
  }
}
