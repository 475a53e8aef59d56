/** Checkpoints to places that the gateway cannot rewrite, each by its own courier: none waits for another. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../lib/errors.ts';
import { auditCheckpointPushMs } from '../../lib/limits.ts';
import type { CheckpointPushSettings } from '../../model/settings.ts';
import { Bucket } from '../sinks/bucket.ts';
import { Courier } from '../sinks/courier.ts';
import type { CheckpointSink, CourierParts, SinkStatus } from '../sinks/courier.ts';
import { checkpointName } from './store.ts';

/** A record into a topic, through the upstream of a port. Resolves when every replica that has to has it. */
export type TopicSender = (
  port: string,
  topic: string,
  records: readonly { readonly key: string; readonly value: Uint8Array }[],
) => Promise<void>;

export class CheckpointPush {
  readonly #couriers: readonly Courier[];

  /** @param send absent: nobody can write into a topic, and a target that is one fails */
  constructor(targets: CheckpointPushSettings, parts: CourierParts, send: TopicSender | undefined) {
    const { directory, command, s3, kafka } = targets;
    const sinks: CheckpointSink[] = [];
    if (directory !== undefined)
      sinks.push({ name: 'directory', send: (size, note) => toFolder(directory, size, note) });
    if (command !== undefined) sinks.push({ name: 'command', send: (size, note) => toCommand(command, size, note) });
    if (s3 !== undefined) sinks.push(bucketSink(s3, parts));
    if (kafka !== undefined) sinks.push(topicSink(kafka, send));
    this.#couriers = sinks.map((sink) => new Courier(sink, parts));
  }

  push(size: number, note: string): void {
    for (const courier of this.#couriers) courier.take(size, note);
  }

  status(): SinkStatus[] {
    return this.#couriers.map((courier) => courier.status());
  }

  /** Resolves when what was pushed has arrived, or failed once more. */
  async close(): Promise<void> {
    await Promise.all(this.#couriers.map((courier) => courier.close()));
  }
}

/** Each checkpoint is an object of its own, never written again. */
function bucketSink(settings: NonNullable<CheckpointPushSettings['s3']>, { clock }: CourierParts): CheckpointSink {
  const bucket = new Bucket(settings, () => clock.nowMs());
  return {
    name: 's3',
    send: async (size, note) => {
      const { lock } = settings;
      await bucket.put({
        name: checkpointName(size),
        body: Buffer.from(note),
        contentType: 'text/plain; charset=utf-8',
        lock,
      });
    },
  };
}

/** The record's key is the log's name, its value the checkpoint. */
function topicSink(
  { port, topic }: NonNullable<CheckpointPushSettings['kafka']>,
  send: TopicSender | undefined,
): CheckpointSink {
  return {
    name: 'kafka',
    send: (_, note) => {
      if (send === undefined) throw new SluiceError('sink-unreachable', 'Nothing here can write into a topic.');
      return send(port, topic, [{ key: note.slice(0, note.indexOf('\n')), value: Buffer.from(note) }]);
    },
  };
}

async function toFolder(directory: string, size: number, note: string): Promise<void> {
  const file = await open(join(directory, checkpointName(size)), 'wx', 0o644).catch((error: unknown) => {
    // It is there already: the same tree was pushed before.
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return null;
    throw error;
  });
  if (file === null) return;
  try {
    await file.writeFile(note);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The checkpoint is its standard input; SLUICE_CHECKPOINT_SIZE and SLUICE_CHECKPOINT_NAME say which it is. */
function toCommand(command: readonly [string, ...string[]], size: number, note: string): Promise<void> {
  const [program, ...args] = command;
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
