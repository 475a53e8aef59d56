/**
 * GetTelemetrySubscriptions (71) and PushTelemetry (72), KIP-714: clients' own metrics on their way to the broker's
 * operators. They ask for nothing and name nothing; brokers without a receiver do not offer them.
 */
import { type ApiHandler, forwardUnread } from './handler.ts';

export const getTelemetrySubscriptions: ApiHandler<'GetTelemetrySubscriptions'> = {
  name: 'GetTelemetrySubscriptions',
  versions: { min: 0, max: 0 },
  handle: () => forwardUnread,
  refuse: (_request, errorCode) => ({ errorCode, acceptedCompressionTypes: [], requestedMetrics: [] }),
};

export const pushTelemetry: ApiHandler<'PushTelemetry'> = {
  name: 'PushTelemetry',
  versions: { min: 0, max: 0 },
  handle: () => forwardUnread,
  refuse: (_request, errorCode) => ({ errorCode }),
};
