/**
 * The door of the codec: Kafka's wire protocol as data, in both directions and every version of Kafka 4.2.
 * Pure: no sockets, no files. Whatever does not fit the protocol throws `ProtocolError`, and nothing else is thrown.
 */
export type { ApiRow, SpecificationRow } from './apis.ts';
export { apiByKey, apiByName, apis, specification } from './apis.ts';
export { checkBrokerTables } from './broker-tables.ts';
export type { BatchHeader } from './batch-header.ts';
export { batches, codecOf, isControl, isTransactional } from './batch-header.ts';
export type { CompressionCodec } from './compression.ts';
export { errorName } from './errors.ts';
export type { ErrorCodes } from './errors.gen.ts';
export { errorCodes } from './errors.gen.ts';
export { FetchAnswerGlance } from './fetch-glance.ts';
export type { ScannedBroker } from './fetch-layout.ts';
export type { FetchVisitor } from './fetch-scan.ts';
export { FetchScan } from './fetch-scan.ts';
export type { FetchRequestVisitor } from './fetch-walk.ts';
export { walkFetch } from './fetch-walk.ts';
export { FrameMemory } from './frame-memory.ts';
export { FrameReader, type FrameSink } from './frames.ts';
export { int16At, int32At } from './int-at.ts';
export type { DecodedRequestHeader, RequestHeaderDraft } from './messages.ts';
export {
  decodeData,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeData,
  encodeRequest,
  encodeResponse,
} from './messages.ts';
export type * from './messages.gen.ts';
export { ProduceAnswerGlance, ProduceGlance } from './produce-glance.ts';
export type { ProtocolErrorCode } from './protocol-error.ts';
export { ProtocolError } from './protocol-error.ts';
export type { BatchHeaderDraft, BatchRecord, RecordBatch, RecordHeader } from './record-batch.ts';
export { buildBatch, parseBatch } from './record-batch.ts';
export type { Draft, UnknownTag } from './values.ts';
export { zeroUuid } from './values.ts';
