/** The places that entries are exported to. Each takes a batch whole before the cursor moves on. */
import { constants, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { SluiceError } from '../../lib/errors.ts';
import { readSecret } from '../../lib/secret.ts';
import type { BucketSettings, SecretSource } from '../../model/settings.ts';
import type { TopicSender } from '../checkpoint/push.ts';
import { parseEntry } from '../read/segments.ts';
import { Bucket } from '../sinks/bucket.ts';
import { refusedBy, sendHttp } from '../sinks/http.ts';
import type { ExportBatch } from './batches.ts';

export interface ExportTarget {
  /** What a cursor is held against; nothing secret. */
  readonly description: string;
  /** @param written bytes that the cursor says are written, what is behind them is of a batch that did not count; `null`: no cursor yet */
  open(written: number | null): Promise<void>;
  /** @returns bytes written so far, where it is a file @throws SluiceError, `retriable` where it may help to try again */
  deliver(batch: ExportBatch): Promise<number>;
  close(): Promise<void>;
}

const lineEnd = Buffer.from('\n');

export type FileFormat = 'jsonl' | 'csv';

/** A file that grows. What a crash left behind the cursor is cut off, so that no entry is in it twice. */
export function fileTarget(path: string, format: FileFormat): ExportTarget {
  let file: FileHandle | null = null;
  let size = 0;
  return {
    description: `file ${path} (${format})`,
    async open(written) {
      // Neither cuts off what is there.
      file = await open(path, written === null ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR, 0o600);
      const there = (await file.stat()).size;
      if (written === null && there > 0)
        throw new SluiceError(
          'export-target',
          `${path} is there already, and no cursor says that it is of this export.`,
        );
      if (there < (written ?? 0))
        throw new SluiceError('export-target', `${path} is shorter than it was when the export stopped.`);
      size = written ?? 0;
      await file.truncate(size);
    },
    async deliver({ lines }) {
      const head = size === 0 && format === 'csv' ? `${csvColumns.join(',')}\r\n` : '';
      const text = format === 'csv' ? Buffer.from(head + lines.map(csvRow).join('')) : jsonLines(lines);
      await file?.write(text, 0, text.length, size);
      await file?.datasync();
      size += text.length;
      return size;
    },
    close: async () => file?.close(),
  };
}

/** CloudEvents in the batched content mode (CloudEvents HTTP protocol binding 1.0.2 §3.3): a JSON array of the entries. */
export function webhookTarget(
  url: URL,
  options: { readonly token?: SecretSource | undefined; readonly caFile?: string | undefined },
): ExportTarget {
  return {
    description: `webhook ${url.origin}${url.pathname}`,
    open: () => Promise.resolve(),
    async deliver({ lines }) {
      const body = Buffer.concat([Buffer.from('['), ...joined(lines, Buffer.from(',')), Buffer.from(']')]);
      const token = options.token === undefined ? null : await readSecret(options.token);
      const headers = {
        'content-type': 'application/cloudevents-batch+json; charset=UTF-8',
        ...(token !== null && { authorization: `Bearer ${token}` }),
      };
      const answer = await sendHttp({ method: 'POST', url, headers, body, caFile: options.caFile });
      if (answer.status < 200 || answer.status > 299) throw refusedBy(url, answer);
      return 0;
    },
    close: () => Promise.resolve(),
  };
}

/** One record per entry; entries of one session, and of one run without a session, share a key and keep their order. */
export function topicTarget(port: string, topic: string, send: TopicSender): ExportTarget {
  return {
    description: `topic ${topic} through ${port}`,
    open: () => Promise.resolve(),
    async deliver({ lines }) {
      await send(
        port,
        topic,
        lines.map((value) => ({ key: keyOf(value), value })),
      );
      return 0;
    },
    close: () => Promise.resolve(),
  };
}

/** One object of JSON lines per batch, called after the bytes of the segment that it holds: the same batch has the same name. */
export function bucketTarget(settings: BucketSettings, nowMs: () => number): ExportTarget {
  const bucket = new Bucket(settings, nowMs);
  return {
    description: `bucket ${settings.endpoint} ${settings.bucket}/${settings.prefix}`,
    open: () => Promise.resolve(),
    async deliver({ lines, segment, start, end }) {
      const digits = (value: number): string => String(value).padStart(12, '0');
      const name = `${segment.replace(/\.jsonl$/, '')}-${digits(start)}-${digits(end)}.jsonl`;
      await bucket.put({ name, body: jsonLines(lines), contentType: 'application/jsonl' });
      return 0;
    },
    close: () => Promise.resolve(),
  };
}

function keyOf(line: Buffer): string {
  const entry = parseEntry(line);
  const session = entry?.data['session_id'];
  return typeof session === 'string' ? session : (entry?.id.split('.')[0] ?? '');
}

function jsonLines(lines: readonly Buffer[]): Buffer {
  return Buffer.concat([...joined(lines, lineEnd), lineEnd]);
}

function joined(lines: readonly Buffer[], between: Buffer): Buffer[] {
  return lines.flatMap((line, at) => (at === 0 ? [line] : [between, line]));
}

const csvColumns = ['id', 'source', 'time', 'type', 'subject', 'data'] as const;

function csvRow(line: Buffer): string {
  const entry = (parseEntry(line) ?? {}) as Partial<Record<(typeof csvColumns)[number], unknown>>;
  const cells = csvColumns.map((column) => {
    const value = entry[column] ?? '';
    return quoted(typeof value === 'string' ? value : JSON.stringify(value));
  });
  return `${cells.join(',')}\r\n`;
}

/** RFC 4180, and no cell that a spreadsheet takes for a formula: names in the log come from clients. */
function quoted(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
