import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/** What has been started, to be undone last first. */
export class Started {
  readonly #undo: (() => void | Promise<void>)[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  push(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Each is undone even where another fails. */
  async undo(): Promise<void> {
    for (const undo of this.#undo.splice(0).toReversed()) {
      try {
        await undo();
      } catch (error) {
        this.#logger.error({ error: messageOf(error) }, 'a part did not stop cleanly');
      }
    }
  }
}
