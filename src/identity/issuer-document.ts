import type { IncomingMessage } from 'node:http';
import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import type { JsonObject } from '../model/json.ts';
import { messageOf } from '../lib/errors.ts';
import { http, https } from '../lib/http.ts';
import { issuerDocumentBytesMax } from '../lib/limits.ts';
import { parseStrictObject } from './strict-json.ts';

export interface FetchSettings {
  /** PEM file of a CA trusted besides the system's. */
  readonly caFile?: string | undefined;
  readonly timeoutMs: number;
}

const redirectsMax = 3;

/** True for `https:`, and for `http:` to this very machine, where nobody is in between. */
export function isSafeIssuerUrl(url: URL): boolean {
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
}

/**
 * Fetches one JSON object from a configured issuer: at most `issuerDocumentBytesMax` bytes, within the timeout, following
 * redirects on the same origin only, so that a redirect never chooses whom we trust.
 *
 * @throws Error whose message says what went wrong and where
 */
export async function fetchIssuerDocument(address: string, settings: FetchSettings): Promise<JsonObject> {
  const signal = AbortSignal.timeout(settings.timeoutMs);
  try {
    const ca =
      settings.caFile === undefined
        ? undefined
        : [...getCACertificates('default'), await readFile(settings.caFile, 'utf8')];
    const body = await get(new URL(address), ca, signal, redirectsMax);
    return parseStrictObject(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (thrown) {
    const why = signal.aborted ? `no full answer within ${settings.timeoutMs} ms` : messageOf(thrown);
    throw new Error(`${address}: ${why}`, { cause: thrown });
  }
}

async function get(url: URL, ca: string[] | undefined, signal: AbortSignal, redirectsLeft: number): Promise<Buffer> {
  if (!isSafeIssuerUrl(url)) throw new Error('it is neither https nor http on this machine');
  const response = await open(url, ca, signal);
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) {
    response.destroy();
    const target = new URL(response.headers.location ?? '', url);
    if (target.origin !== url.origin)
      throw new Error(`it redirects to another host (${target.origin}), which is not followed`);
    if (redirectsLeft === 0) throw new Error('it redirects too often');
    return get(target, ca, signal, redirectsLeft - 1);
  }
  try {
    if (status !== 200) throw new Error(`it answers with status ${status}`);
    // Nothing but identity was asked for; unpacking what a stranger packed would need its own bound.
    if ((response.headers['content-encoding'] ?? 'identity') !== 'identity')
      throw new Error('its answer is compressed');
    return await readBounded(response);
  } finally {
    response.destroy();
  }
}

function open(url: URL, ca: string[] | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    connection: 'close',
    'user-agent': 'sluice',
  };
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:'
        ? https.request(url, { headers, signal, ...(ca === undefined ? {} : { ca }) })
        : http.request(url, { headers, signal });
    request.on('response', resolve);
    request.on('error', reject);
    request.end();
  });
}

async function readBounded(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > issuerDocumentBytesMax) throw new Error(`its answer is larger than ${issuerDocumentBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
