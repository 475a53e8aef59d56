/** Checkpoints to places that the gateway cannot rewrite. One at a time, and always the newest: it covers those before. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { auditCheckpointPushMs } from '../../lib/limits.ts';
import type { Logger } from '../../lib/logger.ts';
import type { CheckpointSettings } from '../../model/settings.ts';
import { checkpointName } from './store.ts';

/**
 * `directory`: each checkpoint is a file of its own there, never written again. `command`: the checkpoint is its standard
 * input; SLUICE_CHECKPOINT_SIZE and SLUICE_CHECKPOINT_NAME say which it is.
 */
type PushTargets = NonNullable<CheckpointSettings['push']>;

export class CheckpointPush {
  readonly #targets: PushTargets;
  readonly #logger: Logger;
  #waiting: { size: number; note: string } | null = null;
  #pushing: Promise<void> | null = null;
  #failing = false;

  constructor(targets: PushTargets, logger: Logger) {
    this.#targets = targets;
    this.#logger = logger;
  }

  push(size: number, note: string): void {
    this.#waiting = { size, note };
    this.#pushing ??= this.#work();
  }

  /** Resolves when what was pushed has arrived, or failed. */
  async settled(): Promise<void> {
    await this.#pushing;
  }

  async #work(): Promise<void> {
    while (this.#waiting !== null) {
      const { size, note } = this.#waiting;
      this.#waiting = null;
      const results = await Promise.allSettled([this.#toFolder(size, note), this.#toCommand(size, note)]);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined && !this.#failing) {
        const cause = messageOf(failed.reason);
        this.#logger.error({ cause, size }, 'a checkpoint of the audit log could not be pushed; the next one is tried');
      } else if (failed === undefined && this.#failing) {
        this.#logger.info({ size }, 'checkpoints of the audit log can be pushed again');
      }
      this.#failing = failed !== undefined;
    }
    this.#pushing = null;
  }

  async #toFolder(size: number, note: string): Promise<void> {
    if (this.#targets.directory === undefined) return;
    const file = await open(join(this.#targets.directory, checkpointName(size)), 'wx', 0o644).catch(
      (error: unknown) => {
        // It is there already: the same tree was pushed before.
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return null;
        throw error;
      },
    );
    if (file === null) return;
    try {
      await file.writeFile(note);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  #toCommand(size: number, note: string): Promise<void> {
    if (this.#targets.command === undefined) return Promise.resolve();
    const [program, ...args] = this.#targets.command;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        stdio: ['pipe', 'ignore', 'ignore'],
        timeout: auditCheckpointPushMs,
        killSignal: 'SIGKILL',
        env: { ...process.env, SLUICE_CHECKPOINT_SIZE: String(size), SLUICE_CHECKPOINT_NAME: checkpointName(size) },
      });
      child.once('error', reject);
      child.once('close', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`${program} ended with ${signal ?? `code ${code}`}`));
      });
      // A program that does not read its input says so with its exit code.
      child.stdin.on('error', () => {});
      child.stdin.end(note);
    });
  }
}
