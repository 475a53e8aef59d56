/** The recordings of one gateway process: sessions' recorders, the ticking of their clocks, and retention. */
import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { recordingSpanMs } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import type { RecordObligation } from '../model/decision.ts';
import type { RecordingSettings } from '../model/settings.ts';
import { listRecordings } from './catalogue.ts';
import type { RecordedSession, Recordings, SessionRecorder } from './contract.ts';
import { eraseRecording } from './erase.ts';
import type { RecordingEvents } from './events.ts';
import { makeHeader } from './header.ts';
import { enterNotices } from './notices.ts';
import { FileKeyWrapper } from './key-wrapper.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { Recorder } from './recorder.ts';
import { RecordingWriter } from './writer.ts';

export interface RecordingsOptions {
  readonly settings: RecordingSettings;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: RecordingEvents;
  /** Absent: keys in the file that the settings name. */
  readonly wrapper?: KeyWrapper;
  /** Whether this process erases what is past its retention: one of several does. Default true. */
  readonly retention?: boolean;
}

export interface RunningRecordings extends Recordings {
  status(): { readonly open: number; readonly queuedBytes: number };
  /** Seals whatever is open and waits until it is on disk. End the gate first, and the audit log afterwards. */
  close(): Promise<void>;
}

const tickMs = 1_000;
const retentionEveryMs = 3_600_000;
const retryMs = 5_000;

export function openRecordings(options: RecordingsOptions): RunningRecordings {
  return new ProcessRecordings(options);
}

class ProcessRecordings implements RunningRecordings {
  readonly #options: RecordingsOptions;
  readonly #wrapper: KeyWrapper;
  readonly #recorders = new Set<Recorder>();
  readonly #ending = new Set<Promise<void>>();
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #pool = { bytes: 0 };
  #looking = false;
  #entering: Promise<void> | null = null;
  #retaining: Promise<void> | null = null;

  constructor(options: RecordingsOptions) {
    this.#options = options;
    this.#wrapper = options.wrapper ?? new FileKeyWrapper(options.settings.keyFile, true);
    this.#timers = [setInterval(() => this.#tick(), tickMs).unref()];
    if (options.retention === false) return;
    this.#timers = [...this.#timers, setInterval(() => this.#beginRetaining(), retentionEveryMs).unref()];
    this.#beginRetaining();
  }

  session(about: RecordedSession, failed: (reason: string) => void): SessionRecorder {
    const { settings, clock, events } = this.#options;
    const recorder = new Recorder({
      session: about.id,
      mode: settings.mode,
      clock,
      events,
      retryMs,
      failed,
      begin: (obligation, changed) => this.#begin(about, obligation, changed),
      ending: (closed) => this.#wait(closed),
      closed: (one) => void this.#recorders.delete(one),
      pool: this.#pool,
    });
    this.#recorders.add(recorder);
    return recorder;
  }

  status(): { readonly open: number; readonly queuedBytes: number } {
    let open = 0;
    for (const recorder of this.#recorders) open += recorder.writers.length;
    return { open, queuedBytes: this.#pool.bytes };
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const recorder of this.#recorders) recorder.close();
    while (this.#ending.size > 0) await Promise.all(this.#ending);
    await this.#entering;
    await this.#retaining;
  }

  #begin(about: RecordedSession, obligation: RecordObligation, changed: () => void): RecordingWriter {
    const { settings, gatewayId, clock, events } = this.#options;
    const started = { atMs: clock.nowMs(), random: randomBytes(6) };
    return new RecordingWriter({
      directory: settings.directory,
      header: makeHeader(about, gatewayId, obligation, settings.retentionMs ?? null, started),
      wrapper: this.#wrapper,
      events,
      segmentBytesMax: settings.segmentBytesMax,
      freeBytesMin: settings.freeBytesMin,
      changed,
      pool: this.#pool,
    });
  }

  #wait(closed: Promise<void>): void {
    const settled = closed.finally(() => this.#ending.delete(settled));
    this.#ending.add(settled);
  }

  #tick(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const recorder of this.#recorders) recorder.tick(nowMs);
    if (!this.#looking && this.status().open > 0) void this.#lookAtDisk();
    if (this.#options.retention !== false) this.#enterNotices();
  }

  /** Before the disk is full: the audit log may be on it, too. */
  async #lookAtDisk(): Promise<void> {
    const { directory, freeBytesMin } = this.#options.settings;
    this.#looking = true;
    try {
      const { bavail, bsize } = await statfs(directory);
      if (bavail * bsize >= freeBytesMin) return;
      const cause = `less than ${freeBytesMin} bytes are free in ${directory} (recording.limits.minFree)`;
      for (const recorder of this.#recorders) for (const writer of recorder.writers) writer.fail(cause);
    } catch {
      // The folder is not there yet, or not any more: writing finds out.
    } finally {
      this.#looking = false;
    }
  }

  #enterNotices(): void {
    const { settings, events, logger } = this.#options;
    this.#entering ??= enterNotices(settings.directory, events)
      .catch((error: unknown) => {
        logger.error(
          { error: messageOf(error) },
          'notices of who read recordings could not be entered in the audit log',
        );
      })
      .then(() => void (this.#entering = null));
  }

  #beginRetaining(): void {
    this.#retaining ??= this.#retain().finally(() => (this.#retaining = null));
  }

  async #retain(): Promise<void> {
    const { settings, clock, events, logger } = this.#options;
    try {
      const nowMs = clock.nowMs();
      for (const { header, state, writtenMs } of await listRecordings(settings.directory).catch(() => [])) {
        const { retention_ms: retentionMs } = header.tags;
        // One that may still be written to, by another process, is left until it must have been split.
        const endMs =
          state === 'complete' ? writtenMs : Math.max(writtenMs, Date.parse(header.started) + recordingSpanMs);
        if (state === 'erased' || retentionMs === null || endMs + retentionMs > nowMs) continue;
        const erasure = { at: new Date(nowMs).toISOString(), cause: 'retention' } as const;
        if (await eraseRecording(settings.directory, header, erasure))
          events.erased(header, 'retention', 'gateway', nowMs);
      }
    } catch (error) {
      logger.error({ error: messageOf(error) }, 'recordings past their retention could not be erased');
    }
  }
}
