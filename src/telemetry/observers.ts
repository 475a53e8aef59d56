/** What the gate and the ports tell, counted. Called on the data path: nothing here waits or throws. */
import type { Metrics } from './metrics.ts';

export interface CountedPort {
  connectionOpened(port: string): void;
  connectionClosed(port: string, reason: string): void;
  requestHandled(port: string, api: string, version: number, outcome: string, milliseconds: number): void;
  bytes(port: string, direction: string, count: number): void;
  upstreamFailed(port: string, reason: string): void;
}

export function kafkaObserver(metrics: Metrics): CountedPort {
  return {
    connectionOpened: (port) => metrics.connections.add(1, port),
    connectionClosed: (port, reason) => metrics.disconnections.add(1, port, reason),
    requestHandled(port, api, _version, outcome, milliseconds) {
      metrics.requests.add(1, port, api, outcome);
      metrics.requestDuration.observe(milliseconds, port, api);
    },
    bytes: (port, direction, count) => metrics.bytes.add(count, port, direction),
    upstreamFailed: (port, reason) => metrics.upstreamFailures.add(1, port, reason),
  };
}

export interface CountedGate {
  decision(effect: string, action: string, resourceType: string): void;
  refused(code: string): void;
  sessionOpened(port: string): void;
  sessionClosed(port: string): void;
  authenticationFailed(code: string): void;
  auditLost(count: number): void;
}

export function gateObserver(metrics: Metrics): CountedGate {
  return {
    decision: (effect, action, resourceType) => metrics.decisions.add(1, effect, action, resourceType),
    refused: (code) => metrics.refusals.add(1, code),
    sessionOpened: (port) => metrics.sessions.add(1, port, 'opened'),
    sessionClosed: (port) => metrics.sessions.add(1, port, 'closed'),
    authenticationFailed: (code) => metrics.authenticationFailures.add(1, code),
    // The log's own status is read at each scrape: counting here as well would count twice.
    auditLost: () => {},
  };
}
