/** What the gate and the ports tell, counted. Called on the data path: nothing here waits or throws. */
import type { Metrics } from './metrics.ts';

export interface CountedPort {
  connectionOpened(port: string): void;
  connectionClosed(port: string, reason: string): void;
  requestHandled(
    port: string,
    api: string,
    version: number,
    outcome: string,
    milliseconds: number,
    count?: number,
  ): void;
  bytes(port: string, direction: string, count: number): void;
  upstreamFailed(port: string, reason: string): void;
}

export function kafkaObserver(metrics: Metrics): CountedPort {
  return {
    connectionOpened: (port) => metrics.connections.add(1, port),
    connectionClosed: (port, reason) => metrics.disconnections.add(1, port, shortReason(reason)),
    requestHandled(port, api, _version, outcome, milliseconds, count = 1) {
      metrics.requests.add(count, port, api, outcome);
      metrics.requestDuration.observe(milliseconds, count, port, api);
    },
    bytes: (port, direction, count) => metrics.bytes.add(count, port, direction),
    upstreamFailed: (port, reason) => metrics.upstreamFailures.add(1, port, upstreamFailure(reason)),
  };
}

export interface CountedGate {
  decision(effect: string, action: string, resourceType: string, count?: number): void;
  refused(code: string): void;
  sessionOpened(port: string): void;
  sessionClosed(port: string): void;
  authenticationFailed(code: string): void;
  auditLost(count: number): void;
}

export function gateObserver(metrics: Metrics): CountedGate {
  return {
    decision: (effect, action, resourceType, count = 1) => metrics.decisions.add(count, effect, action, resourceType),
    refused: (code) => metrics.refusals.add(1, code),
    sessionOpened: (port) => metrics.sessions.add(1, port, 'opened'),
    sessionClosed: (port) => metrics.sessions.add(1, port, 'closed'),
    authenticationFailed: (code) => metrics.authenticationFailures.add(1, code),
    // The log's own status is read at each scrape: counting here as well would count twice.
    auditLost: () => {},
  };
}

const reasonCharsMax = 64;

/** A reason without its detail: a label names a kind of thing, and the log has the rest. */
function shortReason(reason: string): string {
  return (reason.split(':', 1)[0] ?? '').slice(0, reasonCharsMax);
}

const upstreamFailures: readonly (readonly [pattern: RegExp, label: string])[] = [
  [/ECONNREFUSED/, 'refused'],
  [/ENOTFOUND|EAI_AGAIN/, 'name-not-found'],
  [/ETIMEDOUT|timed? ?out|too long|longer than/i, 'timeout'],
  [/EHOSTUNREACH|ENETUNREACH/, 'unreachable'],
  [/certificate|\bTLS\b|\bSSL\b|EPROTO|altname/i, 'tls'],
  [/SASL|authenti|credential|secret/i, 'authentication'],
  [/ECONNRESET|EPIPE|closed|hang up/i, 'closed'],
];

/** The kind of failure that a message tells of: messages hold addresses, of which there is no end. */
function upstreamFailure(message: string): string {
  return upstreamFailures.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
}
