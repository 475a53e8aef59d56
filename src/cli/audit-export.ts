/** `sluice audit export`: entries of the log to a file, a webhook, a topic or a bucket, where the last export ended. */
import { bucketTarget, exportLog, fileTarget, topicTarget, webhookTarget } from '../audit/audit.ts';
import type { ExportTarget, FileFormat } from '../audit/audit.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { topicSender } from '../main.ts';
import type { SecretSource } from '../model/settings.ts';
import { recordQuery } from './audit-query-record.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { loadConfiguration } from './load.ts';
import { CommandError } from './output.ts';
import type { Output } from './output.ts';

export interface AuditExportOptions {
  readonly directory: string;
  readonly cursor?: string;
  readonly file?: string;
  readonly format: FileFormat;
  readonly webhook?: string;
  readonly tokenEnv?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly topic?: string;
  readonly port?: string;
  readonly config: string;
  readonly bucket?: string;
  readonly endpoint?: string;
  readonly region: string;
  readonly prefix: string;
  readonly follow: boolean;
  readonly skipGone: boolean;
  readonly as?: string;
  /** `--no-audit` makes it false. */
  readonly audit: boolean;
}

interface Opened {
  readonly target: ExportTarget;
  readonly close: () => void;
}

/** @throws CommandError where the log, the cursor or the place cannot be used, or the command line makes no sense */
export async function runAuditExport(options: AuditExportOptions, output: Output): Promise<ExitCode> {
  const { directory, cursor, follow, skipGone } = options;
  if (cursor === undefined) throw usage('Say with --cursor where the export keeps how far it is.');
  const { target, close } = await targetOf(options);
  const record = recordQuery({ ...options, verified: false, sql: `export to ${target.description}` }, {});
  // Entered before anything leaves.
  await record('answered', 0, true);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    const report = await exportLog({
      directory,
      target,
      cursorFile: cursor,
      follow,
      skipGone,
      signal: stop.signal,
      onProgress: progress(output),
      onRetry: (error) => output.note(`${error.message} It is tried again.`),
    });
    await record('answered', report.entries, false);
    output.json({ ok: true, ...report });
    output.line(`${report.entries} entries exported${report.complete ? '' : ' so far'}, ${report.entriesTotal} in all`);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const gone = error instanceof SluiceError && error.code === 'export-gap';
    throw new CommandError(gone ? exitCodes.incomplete : exitCodes.problems, messageOf(error));
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
    close();
  }
}

async function targetOf(options: AuditExportOptions): Promise<Opened> {
  const { file, webhook, topic, bucket } = options;
  if ([file, webhook, topic, bucket].filter((one) => one !== undefined).length !== 1)
    throw usage('Say where to with one of --file, --webhook, --topic and --bucket.');
  const nothing = (): void => {};
  if (file !== undefined) return { target: fileTarget(file, options.format), close: nothing };
  if (webhook !== undefined) {
    const token = tokenOf(options);
    return { target: webhookTarget(urlOf('--webhook', webhook), { token, caFile: options.ca }), close: nothing };
  }
  if (topic !== undefined) return toTopic(topic, options);
  return { target: toBucket(bucket ?? '', options), close: nothing };
}

async function toTopic(topic: string, { config, port }: AuditExportOptions): Promise<Opened> {
  const { settings } = await loadConfiguration(config);
  const name = port ?? (settings.ports.length === 1 ? settings.ports[0]?.name : undefined);
  if (name === undefined) throw usage('Say with --port through which port: the configuration has several.');
  const { send, close } = topicSender(settings);
  return { target: topicTarget(name, topic, send), close };
}

/** Credentials from the environment, by the names that every tool for such storage takes. */
function toBucket(bucket: string, options: AuditExportOptions): ExportTarget {
  const { endpoint, region, prefix, ca } = options;
  if (endpoint === undefined)
    throw usage('--bucket goes with --endpoint, such as https://s3.eu-central-1.amazonaws.com.');
  const session = process.env['AWS_SESSION_TOKEN'] === undefined ? {} : { sessionToken: { env: 'AWS_SESSION_TOKEN' } };
  return bucketTarget(
    {
      endpoint: urlOf('--endpoint', endpoint).href,
      region,
      bucket,
      prefix,
      pathStyle: true,
      accessKeyId: { env: 'AWS_ACCESS_KEY_ID' },
      secretAccessKey: { env: 'AWS_SECRET_ACCESS_KEY' },
      ...session,
      ...(ca !== undefined && { caFile: ca }),
    },
    Date.now,
  );
}

function tokenOf({ tokenEnv, tokenFile }: AuditExportOptions): SecretSource | undefined {
  if (tokenEnv !== undefined && tokenFile !== undefined) throw usage('Give one of --token-env and --token-file.');
  if (tokenEnv !== undefined) return { env: tokenEnv };
  return tokenFile === undefined ? undefined : { file: tokenFile };
}

/** http is taken for this machine only: entries say who did what. */
function urlOf(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const local = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && local)))
    throw usage(`${name} takes an https address (http for this machine only).`);
  if (url.username !== '' || url.password !== '')
    throw usage(`${name}: a secret on the command line can be read by others. Use --token-env or --token-file.`);
  return url;
}

function progress(output: Output): (entries: number) => void {
  let toldMs = performance.now();
  return (entries) => {
    if (!process.stderr.isTTY || performance.now() - toldMs < 1_000) return;
    toldMs = performance.now();
    output.note(`${entries} entries`);
  };
}

function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
