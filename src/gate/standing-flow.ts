import type { StandingFlow } from './contract.ts';
import type { SessionTrail } from './trail.ts';
import type { FlowWindow } from './flow-windows.ts';

/** Keeps its window at hand, so that counting what flows looks nothing up; and the window keeps it. */
export class TrailFlow implements StandingFlow {
  readonly action: 'read' | 'write';
  readonly topic: string;
  readonly partition: number;
  readonly standing: object;
  readonly #trail: SessionTrail;
  #window: FlowWindow;

  constructor(action: 'read' | 'write', topic: string, partition: number, standing: object, trail: SessionTrail) {
    this.action = action;
    this.topic = topic;
    this.partition = partition;
    this.standing = standing;
    this.#trail = trail;
    this.#window = trail.window(action, topic, partition);
    this.#window.flow = this;
  }

  account(firstOffset: number, lastOffset: number, records: number, bytes: number, nowMs: number): void {
    if (this.#window.dropped) {
      this.#window = this.#trail.window(this.action, this.topic, this.partition);
      this.#window.flow ??= this;
    }
    this.#window.addSafe(firstOffset, lastOffset, records, bytes, nowMs);
    this.#trail.flowed(this.action, records, bytes, nowMs);
  }
}
