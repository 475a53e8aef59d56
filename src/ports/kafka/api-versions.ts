/** ApiVersions is the gateway's own answer: what it enforces and the broker behind it speaks (KIP-35, KIP-511, KIP-584). */
import { handlerFor, handlers } from './apis/catalogue.ts';
import { type Draft, type RequestMessages, type ResponseMessages, apiByName, errorCodes } from './protocol/protocol.ts';
import type { BrokerVersions, VersionRange } from './versions.ts';

type ApiVersionsResponse = Draft<ResponseMessages['ApiVersions']>;

/** KIP-511: names and versions of client software, else 42. */
const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
const softwareLengthMax = 255;

const gatewayApis: readonly { readonly name: 'ApiVersions' | 'SaslHandshake' | 'SaslAuthenticate' }[] = [
  { name: 'SaslHandshake' },
  { name: 'ApiVersions' },
  { name: 'SaslAuthenticate' },
];

/** Highest ApiVersions version the gateway itself answers. */
export const apiVersionsMax: number = Math.min(4, apiByName('ApiVersions').maxVersion);

/** The answer to a version nobody here knows: version 0, error 35, and the one range that may be asked next. */
export function unsupportedApiVersions(): ApiVersionsResponse {
  const { key } = apiByName('ApiVersions');
  return {
    errorCode: errorCodes.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: key, minVersion: 0, maxVersion: apiVersionsMax }],
  };
}

export function softwareIsWellFormed(request: RequestMessages['ApiVersions'], version: number): boolean {
  if (version < 3) return true;
  return [request.clientSoftwareName, request.clientSoftwareVersion].every(
    (text) => text.length <= softwareLengthMax && softwarePattern.test(text),
  );
}

/** @param sasl whether this port takes SASL; a port for client certificates alone does not offer it */
export function apiVersionsAnswer(broker: BrokerVersions, sasl: boolean): ApiVersionsResponse {
  const apiKeys: { apiKey: number; minVersion: number; maxVersion: number }[] = [];
  for (const handler of handlers) {
    const { key } = apiByName(handler.name);
    const range = servedRange(key, broker);
    if (range === null) continue;
    // Older librdkafka drops compression unless Produce begins at 0 (KAFKA-18659); brokers announce it so as well.
    const minVersion = handler.name === 'Produce' ? 0 : range.min;
    apiKeys.push({ apiKey: key, minVersion, maxVersion: range.max });
  }
  for (const { name } of gatewayApis) {
    if (!sasl && name !== 'ApiVersions') continue;
    const { key, minVersion, maxVersion } = apiByName(name);
    apiKeys.push({ apiKey: key, minVersion, maxVersion: name === 'ApiVersions' ? apiVersionsMax : maxVersion });
  }
  apiKeys.sort((a, b) => a.apiKey - b.apiKey);
  return { errorCode: 0, apiKeys, ...broker.features };
}

/** What both the handler knows and the broker speaks; `null` where that is nothing. */
export function servedRange(apiKey: number, broker: BrokerVersions): VersionRange | null {
  const handler = handlerFor(apiKey);
  const range = broker.rangeOf(apiKey);
  if (handler === undefined || range === undefined) return null;
  const min = Math.max(handler.versions.min, range.min);
  const max = Math.min(handler.versions.max, range.max);
  return min <= max ? { min, max } : null;
}
