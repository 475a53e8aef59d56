/** Which versions of which API a broker speaks, as it said itself. */
import { type ApiName, type Draft, type ResponseMessages, apiByName } from './protocol/protocol.ts';

export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export class BrokerVersions {
  static readonly none: BrokerVersions = new BrokerVersions(new Map(), null);

  readonly #ranges: ReadonlyMap<number, VersionRange>;
  readonly #answer: ResponseMessages['ApiVersions'] | null;

  private constructor(ranges: ReadonlyMap<number, VersionRange>, answer: ResponseMessages['ApiVersions'] | null) {
    this.#ranges = ranges;
    this.#answer = answer;
  }

  static from(answer: ResponseMessages['ApiVersions']): BrokerVersions {
    const ranges = new Map<number, VersionRange>();
    for (const row of answer.apiKeys) ranges.set(row.apiKey, { min: row.minVersion, max: row.maxVersion });
    return new BrokerVersions(ranges, answer);
  }

  rangeOf(apiKey: number): VersionRange | undefined {
    return this.#ranges.get(apiKey);
  }

  /** Highest version of the API that the broker speaks; `undefined` where it does not know the API. */
  maxOf(name: ApiName): number | undefined {
    return this.#ranges.get(apiByName(name).key)?.max;
  }

  speaks(apiKey: number, version: number): boolean {
    const range = this.#ranges.get(apiKey);
    return range !== undefined && version >= range.min && version <= range.max;
  }

  /** The broker's features (KIP-584) as they came; they describe the cluster, not the gateway. */
  get features(): Pick<
    Draft<ResponseMessages['ApiVersions']>,
    'supportedFeatures' | 'finalizedFeatures' | 'finalizedFeaturesEpoch' | 'zkMigrationReady'
  > {
    if (this.#answer === null) return {};
    const { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch, zkMigrationReady } = this.#answer;
    return { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch, zkMigrationReady };
  }
}
