import type { ApiName } from './messages.gen.ts';
import type { RawApi } from './schema.ts';
import { rawApis } from './schema.ts';

/** One API that this codec reads and writes: those that a broker listener serves. */
export interface ApiRow {
  readonly key: number;
  readonly name: ApiName;
  /** Lowest version with a schema. */
  readonly minVersion: number;
  /** Highest stable version. */
  readonly maxVersion: number;
  /** What a broker advertises as its lowest: 0 for Produce, since older librdkafka drops compression otherwise (KAFKA-18659). */
  readonly advertisedMinVersion: number;
  /** First version with a flexible body and request header v2; null where there is none. */
  readonly requestFlexibleFrom: number | null;
  /** First version with response header v1; always null for ApiVersions, whose response header stays v0 (KIP-511). */
  readonly responseFlexibleFrom: number | null;
  readonly clusterAction: boolean;
  readonly forwardable: boolean;
}

/** One API of the specification, whether this codec has it or not. */
export interface SpecificationRow {
  readonly key: number;
  readonly name: string;
  /** Removed in Kafka 4: no version is left. */
  readonly removed: boolean;
  readonly listeners: readonly string[];
}

/** Every API key of the specification, so that a test can hold enforcement against it. */
export const specification: readonly SpecificationRow[] = rawApis.map((api) => ({
  key: api.apiKey,
  name: api.name,
  removed: api.minVersion === null,
  listeners: api.listeners,
}));

/** Every API of a broker listener that was not removed, by key. */
export const apis: readonly ApiRow[] = rawApis.flatMap((api) => {
  const row = apiRow(api);
  return row === undefined ? [] : [row];
});

const byKey = new Map(apis.map((row) => [row.key, row]));
const byName = new Map(apis.map((row) => [row.name, row]));

/** The row of an API key as it came over the wire; undefined for what this codec does not read. */
export function apiByKey(key: number): ApiRow | undefined {
  return byKey.get(key);
}

export function apiByName(name: ApiName): ApiRow {
  const row = byName.get(name);
  if (row === undefined) throw new Error(`Kafka schema: there is no API "${name}"`);
  return row;
}

/** True where a request of this API and version can be decoded. */
export function supportsVersion(row: ApiRow, version: number): boolean {
  return version >= row.minVersion && version <= row.maxVersion;
}

function apiRow(api: RawApi): ApiRow | undefined {
  if (api.minVersion === null || api.maxStableVersion === null || !api.listeners.includes('broker')) return undefined;
  return {
    key: api.apiKey,
    // Generated from the same rows.
    name: api.name as ApiName,
    minVersion: api.minVersion,
    maxVersion: api.maxStableVersion,
    advertisedMinVersion: api.advertisedMinVersion ?? api.minVersion,
    requestFlexibleFrom: api.requestHeaderV2From,
    responseFlexibleFrom: api.responseHeaderV1From,
    clusterAction: api.clusterAction,
    forwardable: api.forwardable,
  };
}
