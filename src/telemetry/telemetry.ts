/** The door of telemetry: logs, metrics, health. */
export { gatewayReadiness } from './health.ts';
export type { GatewayState, Readiness } from './health.ts';
export { startTelemetryListener } from './listener.ts';
export type { TelemetryListener } from './listener.ts';
export { createLogger } from './logger.ts';
export type { LogFormat, LogLevel } from './logger.ts';
export { addedCounts, createMetrics } from './metrics.ts';
export type { Counts, Metrics, MetricsSnapshot } from './metrics.ts';
export { gateObserver, kafkaObserver } from './observers.ts';
