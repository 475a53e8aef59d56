/**
 * GetTelemetrySubscriptions (71) and PushTelemetry (72), KIP-714: clients' own metrics on their way to the broker's
 * operators. They ask for nothing and name nothing; brokers without a receiver do not offer them, and then the gateway
 * does not either. What is pushed is bounded, and passed on unread.
 */
import { telemetryPushBytesMax } from '../../../lib/limits.ts';
import { errorCodes } from '../protocol/protocol.ts';
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
  handle({ request, access }) {
    const { length } = request.metrics;
    if (length <= telemetryPushBytesMax) return forwardUnread;
    access.refused('telemetry-too-large', `${length} bytes of metrics; at most ${telemetryPushBytesMax} are taken`);
    return { kind: 'answer', response: { errorCode: errorCodes.TELEMETRY_TOO_LARGE } };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};
