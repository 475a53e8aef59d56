/** Metrics and health over HTTP, on an address of their own: never on a port that clients reach. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { http } from '../lib/http.ts';
import type { HostPort } from '../model/settings.ts';
import type { Readiness } from './health.ts';
import { metricsContentType } from './metrics.ts';

export interface TelemetryListener {
  address(): HostPort;
  close(): Promise<void>;
}

export interface TelemetryPages {
  metrics(): Promise<string>;
  readiness(): Readiness;
}

const requestTimeoutMs = 10_000;
const connectionsMax = 100;

/**
 * `/metrics`, `/healthz` (200 while the process lives) and `/readyz` (200, or 503 with the reasons).
 *
 * @throws SluiceError `telemetry-unbound` where the address cannot be bound
 */
export async function startTelemetryListener(listen: HostPort, pages: TelemetryPages): Promise<TelemetryListener> {
  const server = http.createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, keepAliveTimeout: 5_000 },
    (request, response) => {
      answer(request, response, pages).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else send(response, 500, 'text/plain; charset=utf-8', `${messageOf(error)}\n`);
      });
    },
  );
  server.maxConnections = connectionsMax;
  await bind(server, listen);
  return {
    address: () => {
      const bound = server.address();
      return { host: listen.host, port: typeof bound === 'object' && bound !== null ? bound.port : listen.port };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function bind(server: Server, listen: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? 'another process listens there. Stop it, or set telemetry.listen to another address or "off"'
          : messageOf(cause);
      reject(
        new SluiceError(
          'telemetry-unbound',
          `The telemetry listener cannot listen on ${listen.host}:${listen.port}: ${why}.`,
          { cause },
        ),
      );
    });
    server.listen(listen.port, listen.host, () => resolve());
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, pages: TelemetryPages): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return send(response, 405, 'text/plain; charset=utf-8', 'Only GET and HEAD.\n', { allow: 'GET, HEAD' });
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/metrics') return send(response, 200, metricsContentType, await pages.metrics());
  if (path === '/healthz') return send(response, 200, 'application/json', '{"status":"alive"}\n');
  if (path === '/readyz') {
    const state = pages.readiness();
    return send(response, state.ready ? 200 : 503, 'application/json', `${JSON.stringify(state, null, 2)}\n`);
  }
  return send(response, 404, 'text/plain; charset=utf-8', 'Here are /metrics, /healthz and /readyz.\n');
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
