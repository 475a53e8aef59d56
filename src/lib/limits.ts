/** Every bound on what the network may make the gateway do, with its unit in the name. One file, so that they can be read together. */

/** Largest request frame taken from an authenticated client; Kafka's own default for `socket.request.max.bytes`. */
export const requestFrameBytesMax: number = 104_857_600;
/** Largest frame before authentication; Kafka's `sasl.server.max.receive.size` default. */
export const unauthenticatedFrameBytesMax: number = 524_288;
/** Largest response frame taken from a broker. A fetch answers with at most `fetch.max.bytes` and one batch more. */
export const responseFrameBytesMax: number = 268_435_456;
/** Requests of one connection that may wait for their answers before the socket is no longer read. */
export const requestsInFlightMax: number = 256;
/** Bytes of one connection that may be held in either direction before the side that sends is paused; one frame may exceed it. */
export const connectionBufferBytesMax: number = 1_048_576;
/** Elements of any one array in a message; a length beyond what the frame could hold is refused sooner. */
export const arrayLengthMax: number = 1_000_000;
/** Tagged fields of one structure. */
export const taggedFieldsMax: number = 1_000;
/** Bytes that one record batch may decompress to. */
export const decompressedBatchBytesMax: number = 134_217_728;
/** Topics that one request may name. */
export const topicsPerRequestMax: number = 100_000;
/** Connections of one principal on one gateway. */
export const connectionsPerPrincipalMax: number = 10_000;
/** Connections of one port on one gateway that have not authenticated yet. */
export const unauthenticatedConnectionsMax: number = 1_000;
/** Time a client has from its first byte to the end of authentication. */
export const authenticationTimeoutMs: number = 30_000;
/** A token as it comes over the wire. */
export const tokenBytesMax: number = 65_536;
/** Discovery documents and key sets. */
export const issuerDocumentBytesMax: number = 102_400;
/** Topic ids kept per upstream. */
export const topicIdsMax: number = 1_000_000;
/** Array elements of one message, over all its arrays; each becomes a value in memory, so bytes alone do not bound them. */
export const messageElementsMax: number = 10_000_000;
/** Structures within structures of a message. Kafka's deepest schema has 5. */
export const messageNestingMax: number = 16;
/** Policy files in one folder, and their bytes together. */
export const policyFilesMax: number = 1_000;
export const policyFolderBytesMax: number = 16_777_216;
