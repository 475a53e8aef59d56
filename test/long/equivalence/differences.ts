/**
 * Where the gateway answers otherwise than a broker's ACLs would, on purpose. Nothing else may differ: the equivalence
 * suite fails on any difference that is not here, and on any entry here that no longer occurs. Printed in
 * docs/kafka-api.md.
 */
import type { ApiName } from '../../../src/ports/kafka/protocol/protocol.ts';

export interface AcceptedDifference {
  readonly apis: readonly ApiName[];
  /** Cases whose names match. */
  readonly cases: RegExp;
  /** Where in the comparison: `answer…` for the response, `effects…` for what an admin sees afterwards. */
  readonly path: RegExp;
  readonly broker: string;
  readonly gateway: string;
  readonly reason: string;
}

export const acceptedDifferences: readonly AcceptedDifference[] = [];

/** Versions that brokers speak on their client listeners and the gateway does not. */
export interface VersionCap {
  readonly api: ApiName;
  readonly aboveVersion: number;
  readonly reason: string;
}

export const versionCaps: readonly VersionCap[] = [
  {
    api: 'AddPartitionsToTxn',
    aboveVersion: 3,
    reason: 'from version 4 on brokers speak it to each other (KIP-890) and ask for CLUSTER_ACTION; clients end at 3',
  },
  {
    api: 'ConsumerGroupHeartbeat',
    aboveVersion: 0,
    reason: 'version 1 carries regular expressions that the broker resolves by the rights of the gateway, not of the client',
  },
];
