/** What a scan of an answer to a Fetch has to know of its version, and the tagged fields in it. */
import type { ByteReader } from './byte-reader.ts';
import { readUnknownTags } from './compile-reader.ts';
import { ProtocolError } from './protocol-error.ts';
import type { TagSection } from './tag-scan.ts';
import { uuidBytes } from './values.ts';

/** A broker's own address, as an answer gave it. */
export interface ScannedBroker {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** How an answer to a Fetch is laid out in one version. */
export interface FetchLayout {
  readonly label: string;
  readonly flexible: boolean;
  readonly topicIds: boolean;
  readonly brokers: boolean;
  /** Whether the head has an error and a session's id. */
  readonly sessions: boolean;
  /** From throttleTimeMs to the topics. */
  readonly headBytes: number;
  /** From the index to the aborted transactions. */
  readonly partitionHeadBytes: number;
  readonly replicaBytes: number;
  readonly topicBytesMin: number;
  readonly partitionBytesMin: number;
  readonly abortedBytesMin: number;
}

/** One aborted transaction, without tags. */
export const abortedBytes: number = 16;
const versionMin = 4;
const versionMax = 18;
const layouts: readonly FetchLayout[] = Array.from({ length: versionMax - versionMin + 1 }, (_, index) =>
  layoutOf(versionMin + index),
);

/** Throws `ProtocolError` for a version that is not laid out here. */
export function fetchLayout(version: number): FetchLayout {
  const layout = layouts[version - versionMin];
  if (layout === undefined) {
    throw new ProtocolError('unsupported-version', 0, `FetchResponse has no version ${version} here`);
  }
  return layout;
}

function layoutOf(version: number): FetchLayout {
  const flexible = version >= 12;
  const topicIds = version >= 13;
  const tagBytes = flexible ? 1 : 0;
  const lengthBytes = flexible ? 1 : 4;
  const nameBytes = flexible ? 1 : 2;
  const partitionHeadBytes = version >= 5 ? 30 : 22;
  const replicaBytes = version >= 11 ? 4 : 0;
  return {
    label: `FetchResponse v${version}`,
    flexible,
    topicIds,
    brokers: version >= 16,
    sessions: version >= 7,
    headBytes: version >= 7 ? 10 : 4,
    partitionHeadBytes,
    replicaBytes,
    topicBytesMin: (topicIds ? uuidBytes : nameBytes) + lengthBytes + tagBytes,
    partitionBytesMin: partitionHeadBytes + replicaBytes + 2 * lengthBytes + tagBytes,
    abortedBytesMin: abortedBytes + tagBytes,
  };
}

/** A section in which no tag is known. */
export const unknownOnly: TagSection = { known: [], blanked: false };
/** DivergingEpoch, CurrentLeader, SnapshotId: what stands in them is between broker and client. */
export const partitionTags: TagSection = { known: [fixedFields(12), fixedFields(8), fixedFields(12)], blanked: false };

function fixedFields(bytes: number): (field: ByteReader) => void {
  return (field) => {
    field.view(bytes);
    readUnknownTags(field);
  };
}

/** The least that one NodeEndpoint takes: node id, host, port, rack, tags. */
const brokerBytesMin = 11;

/** Reads NodeEndpoints, the response's tagged field 0. Throws `ProtocolError`. */
export function readBrokers(field: ByteReader): ScannedBroker[] {
  const count = field.count(true, brokerBytesMin);
  if (count === -1) throw field.error('bad-value', 'a null array where this version has none');
  return Array.from({ length: count }, () => {
    const broker = {
      nodeId: field.int32(),
      host: field.compactString(),
      port: field.int32(),
      rack: field.compactNullableString(),
    };
    readUnknownTags(field);
    return broker;
  });
}
