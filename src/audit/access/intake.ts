/** The gateway's side of the folder `access`: takes what other programs left there into the log. */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { auditAccessFileBytesMax, auditAccessFilesAtOnce, auditAccessIntervalMs } from '../../lib/limits.ts';
import type { Logger } from '../../lib/logger.ts';
import { auditEvent } from '../draft.ts';
import type { EntryDraft } from '../draft.ts';
import { goneMeanwhile } from '../read/file-digest.ts';
import { schemas } from '../schemas.ts';
import { accessFolder, waitingEntries } from './spool.ts';

interface Log {
  append(draft: EntryDraft): string;
  durable(): Promise<void>;
  status(): { readonly writable: boolean };
}

const shape = z.strictObject({ code: z.literal('log.queried'), data: z.looseObject({}) });

export class AccessIntake {
  readonly #directory: string;
  readonly #log: Log;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  /** In the log's queue; their files are still there. */
  readonly #appended = new Set<string>();
  #taking: Promise<void> | null = null;
  #failing = false;

  constructor(directory: string, log: Log, logger: Logger) {
    this.#directory = directory;
    this.#log = log;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.take(), auditAccessIntervalMs).unref();
  }

  /** Takes what is there now. */
  take(): Promise<void> {
    this.#taking ??= this.#takeAll()
      .catch((cause: unknown) => {
        if (!this.#failing)
          this.#logger.error(
            { cause: messageOf(cause) },
            'what other programs have to say cannot be taken into the audit log',
          );
        this.#failing = true;
      })
      .finally(() => {
        this.#taking = null;
      });
    return this.#taking;
  }

  /** Takes what is there for the last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#taking;
    await this.take();
  }

  async #takeAll(): Promise<void> {
    if (!this.#log.status().writable) return;
    const names = (await waitingEntries(this.#directory)).slice(0, auditAccessFilesAtOnce);
    for (const name of names) {
      const path = join(this.#directory, accessFolder, name);
      if (this.#appended.has(path)) continue;
      const draft = await readLeft(path).catch((cause: unknown) => this.#refuse(path, cause));
      if (draft === null) continue;
      this.#log.append(draft);
      this.#appended.add(path);
    }
    if (this.#appended.size === 0) return;
    // Once they are on disk in the log, and not before: after a crash in between they are there twice, with one id.
    await this.#log.durable();
    for (const path of this.#appended) {
      await rm(path, { force: true });
      this.#appended.delete(path);
    }
    this.#failing = false;
  }

  /** What is no entry is set aside, so that somebody can look at it. */
  async #refuse(path: string, cause: unknown): Promise<null> {
    this.#logger.warn(
      { file: path, cause: messageOf(cause) },
      'a file in the audit folder is no entry and was set aside',
    );
    await rename(path, `${path}.refused`).catch(goneMeanwhile);
    return null;
  }
}

/** @throws where the file is no entry that may be left here */
async function readLeft(path: string): Promise<EntryDraft | null> {
  const file = await open(path, 'r').catch(goneMeanwhile);
  if (file === null) return null;
  try {
    const { size, uid } = await file.stat();
    if (size > auditAccessFileBytesMax)
      throw new SluiceError('access-malformed', `it is longer than ${auditAccessFileBytesMax} bytes`);
    const { data } = shape.parse(JSON.parse(await file.readFile('utf8')));
    const whole = schemas['log.queried'].parse({ ...data, file_owner: uid });
    return auditEvent('log.queried', whole, `query/${whole.query_id}`);
  } finally {
    await file.close();
  }
}
