/** One HTTP request to a place that the operator named, bounded in time and in what it may answer. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { http, https } from '../../lib/http.ts';
import { auditAnswerBytesMax, auditCheckpointPushMs } from '../../lib/limits.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Read for each request, so that a renewed one needs no restart; absent: the system's CAs. */
  readonly caFile?: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | undefined;
}

/**
 * Redirections are answers like any other: what is sent goes where the operator said, and nowhere else.
 * @throws SluiceError `sink-unreachable`, which names the host and repeats nothing of the request
 */
export async function sendHttp({ method, url, headers, body, caFile }: HttpRequest): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const signal = AbortSignal.timeout(auditCheckpointPushMs);
  try {
    const ca = caFile === undefined ? {} : { ca: await readFile(caFile) };
    const options = { method, signal, headers: { ...headers, 'content-length': String(body.length) } };
    const request = url.protocol === 'https:' ? https.request(url, { ...options, ...ca }) : http.request(url, options);
    request.once('error', reject);
    request.once('response', (answer) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > auditAnswerBytesMax)
          answer.destroy(new Error(`its answer has more than ${auditAnswerBytesMax} bytes`));
      });
      const { statusCode: status = 0, headers: said } = answer;
      text(answer).then((read) => resolve({ status, body: read, retryAfter: said['retry-after'] }), reject);
    });
    request.end(body);
    return await promise;
  } catch (cause) {
    const why = signal.aborted ? `no answer within ${auditCheckpointPushMs / 1_000} s` : messageOf(cause);
    throw new SluiceError('sink-unreachable', `${url.host} cannot be reached: ${why}.`, { cause, retriable: true });
  }
}

/** What a place said that did not take what was sent. */
export function refusedBy(url: URL, { status, body }: HttpAnswer): SluiceError<'sink-refused'> {
  const said = body
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 200);
  const retriable = status >= 500 || status === 408 || status === 429;
  return new SluiceError('sink-refused', `${url.host} answered ${status}${said === '' ? '' : `: ${said}`}`, {
    retriable,
  });
}
