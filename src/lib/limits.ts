/** Every bound on what the network may make the gateway do, with its unit in the name. One file, so that they can be read together. */

/** Largest request frame taken from an authenticated client; Kafka's own default for `socket.request.max.bytes`. */
export const requestFrameBytesMax: number = 104_857_600;
/** Largest frame before authentication; Kafka's `sasl.server.max.receive.size` default. */
export const unauthenticatedFrameBytesMax: number = 524_288;
/** Largest response frame taken from a broker. A fetch answers with at most `fetch.max.bytes` and one batch more. */
export const responseFrameBytesMax: number = 268_435_456;
/** What request frames that have not come whole may hold together, over all connections of a process. */
export const partialRequestBytesMax: number = 536_870_912;
/** The same of response frames that are put together, since they cannot pass as they come. */
export const partialResponseBytesMax: number = 1_073_741_824;
/** Connections to one broker that one process opens at once; more wait for their turn, and no longer than a client waits for an answer. */
export const openingsMax: number = 256;
export const openingWaitMs: number = 30_000;
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
/** Connections of one principal on one gateway. */
export const connectionsPerPrincipalMax: number = 10_000;
/** Connections of one port on one gateway that have not authenticated yet. */
export const unauthenticatedConnectionsMax: number = 1_000;
/** Time such a connection has before it makes room for a new one, where there are as many as there may be. */
export const unauthenticatedGraceMs: number = 2_000;
/** Time a client has from its first byte to the end of authentication. */
export const authenticationTimeoutMs: number = 30_000;
/** How long a connection whose credential has expired is kept, for its renewal alone. */
export const expiredGraceMs: number = 1_000;
/** Time that what began before the credential expired has to end, a renewal or a request in flight; nothing new is taken. */
export const renewalGraceMs: number = 5_000;
/** A token as it comes over the wire. */
export const tokenBytesMax: number = 65_536;
/** Discovery documents and key sets. */
export const issuerDocumentBytesMax: number = 102_400;
/** Topic ids kept per upstream. */
export const topicIdsMax: number = 1_000_000;
/** Array elements of one message, over all its arrays; each becomes a value in memory, so bytes alone do not bound them. */
export const messageElementsMax: number = 10_000_000;
/** Elements of a keyed array, such as a request's topics, whose place in a broker's hash table is not looked at. */
export const keyedElementsFreeMax: number = 128;
/** Steps that a broker may take to move a keyed array into a larger table, and to place it in the first: some 100 ms. */
export const keyedMovingStepsMax: number = 50_000_000;
export const keyedPlacingStepsMax: number = 5_000_000;
/** What is added to them for each element. */
export const keyedMovingStepsPerElementMax: number = 1_000;
export const keyedPlacingStepsPerElementMax: number = 10;
/** Structures within structures of a message. Kafka's deepest schema has 5. */
export const messageNestingMax: number = 16;
/** Policy files in one folder, and their bytes together. */
export const policyFilesMax: number = 1_000;
export const policyFolderBytesMax: number = 16_777_216;
/** Audit entries that wait for the disk. Beyond it, strict mode lets every operation wait until they are written. */
export const auditQueueBytesMax: number = 16_777_216;
/** Beyond it flow windows and other entries about what already happened are lost and counted; the rest at half as much again. */
export const auditQueueBytesHardMax: number = 67_108_864;
/** One write to the audit log, and one fsync. */
export const auditBatchBytesMax: number = 1_048_576;
/** The audit log continues in a new segment beyond it. */
export const auditSegmentBytesMax: number = 67_108_864;
/** How long one write to the audit log may take before operations are refused (strict) or let pass (available). */
export const auditStallMs: number = 10_000;
/** One line of the audit log when it is read; what is bounded in an entry adds up to far less. */
export const auditLineBytesMax: number = 4_194_304;
/** A checkpoint of the audit log, its signatures, and those of witnesses. */
export const auditNoteBytesMax: number = 65_536;
export const auditNoteSignaturesMax: number = 100;
/** Checkpoints kept beside the audit log; beyond it the older ones are thinned out, which newer ones cover. */
export const auditCheckpointFilesMax: number = 2_000;
/** Time between two checkpoints that the number of entries asks for. */
export const auditCheckpointSpacingMs: number = 1_000;
/** One push of a checkpoint to a place of its own. */
export const auditCheckpointPushMs: number = 30_000;
/** What a bucket, a witness or a webhook may answer. */
export const auditAnswerBytesMax: number = 1_048_576;
/** Leaf hashes kept for witnesses that lag behind; one that lags further makes the gateway read its log. */
export const auditWitnessLeavesMax: number = 100_000;
/** One batch of an export of the audit log; a longer line goes alone. */
export const auditExportBatchEntriesMax: number = 500;
export const auditExportBatchBytesMax: number = 1_048_576;
/** A place that takes no checkpoint for so long is told of in the log. */
export const auditSinkReportMs: number = 300_000;
/** Characters of one name, id or address in an audit entry; Kafka's topic names have at most 249. */
export const auditNameCharsMax: number = 512;
/** Characters of one explanation in an audit entry. */
export const auditDetailCharsMax: number = 1_024;
/** Groups of a principal that an audit entry lists. */
export const auditGroupsMax: number = 100;
/** Sessions that one audit entry lists. */
export const auditSessionsMax: number = 100;
/** Connections may come back to their session this long after the last of them left. */
export const sessionLingerMs: number = 30_000;
/** Sessions without a connection that are kept per principal; the oldest is closed beyond it. */
export const lingeringSessionsPerPrincipalMax: number = 100;
/** Flows that one session remembers to have opened; it may remember more out of what all sessions of a process share. */
export const flowsPerSessionMax: number = 10_000;
/** Where that is taken too, the session's oldest flow is entered again when it is used again. */
export const flowsSharedMax: number = 250_000;
/** Flow windows of one session at a time; it may have more out of what all sessions of a process share. */
export const flowWindowsPerSessionMax: number = 10_000;
/**
 * Where that is taken too, all windows of the session are written out. All of them are told in one turn, about 1 to 2 KB
 * each, and have to fit into `auditQueueBytesHardMax`: what does not is lost.
 */
export const flowWindowsSharedMax: number = 20_000;
/** Disjoint offset ranges of one flow window; the closest two become one, marked approximate, when there would be more. */
export const offsetRangesPerWindowMax: number = 16;
/** Equal denials within this time become one entry with a count. */
export const foldMs: number = 1_000;
/** Distinct denials and refusals of one session that are told apart at a time. */
export const foldsPerSessionMax: number = 256;
/** Distinct authentication failures of the gateway that are told apart at a time. */
export const authenticationFoldsMax: number = 1_024;
/** One policy file. */
export const policyFileBytesMax: number = 16_777_216;
/** Levels of maps and lists in one policy document; the format itself needs 10. */
export const policyNestingMax: number = 24;
/** Problems reported for one load; the rest are counted. */
export const policyProblemsMax: number = 100;
/** One name or pattern in a policy. */
export const policyPatternCharsMax: number = 512;
/** Stars in one pattern: bounds the work of one match together with its length. */
export const policyPatternStarsMax: number = 16;
/** A `when` condition, as text and as nodes of its syntax tree. */
export const conditionCharsMax: number = 4_096;
export const conditionNodesMax: number = 500;
/** Loops (`all`, `exists`, `map`, `filter`) in one condition; none may stand inside another. */
export const conditionLoopsMax: number = 8;
/** Values, counted at every depth, in the claims that conditions may look at; more makes every condition fail. */
export const conditionClaimValuesMax: number = 4_096;
/** Levels of maps and lists in a token's claims that the policy looks at; a deeper token is granted nothing. */
export const claimNestingMax: number = 32;
/** Principals whose access is remembered under one revision. */
export const principalsRememberedMax: number = 10_000;
/** Compiled tables remembered under one revision; principals for whom the same rules count share one. */
export const accessTablesRememberedMax: number = 2_000;
/** Decisions remembered per table and under one revision: names come from clients. */
export const decisionsPerTableMax: number = 16_384;
export const decisionsRememberedMax: number = 200_000;
/** A longer resource name is decided anew each time, so that remembered names stay small. */
export const decisionNameCharsMax: number = 256;
/** Nesting of a token's header or claims and of an issuer's documents. */
export const jsonDepthMax: number = 32;
/** One document from an issuer, from the first byte sent to the last received. */
export const issuerFetchTimeoutMs: number = 5_000;
/** Time between two fetches of one issuer's keys that unknown key ids ask for, so that nobody can make the gateway hammer it. */
export const issuerRefetchCooldownMs: number = 30_000;
/** Age at which an issuer's keys are fetched again in the background; half of `keysMaxAgeMs` where that is less. */
export const issuerRefreshIntervalMs: number = 300_000;
/** Keys of one issuer. */
export const issuerKeysMax: number = 100;
/** Verified tokens remembered per gateway process: how many, and their bytes together. */
export const verifiedTokensMax: number = 10_000;
export const verifiedTokensBytesMax: number = 33_554_432;
/** A principal's id, in UTF-16 units. */
export const principalIdCharsMax: number = 256;
/** Groups of one principal; a token with more is refused, since leaving some out could leave out one that is denied. */
export const principalGroupsMax: number = 1_000;
export const groupNameCharsMax: number = 256;
/** Records of one batch and their headers, counted together. A batch of Kafka's default size holds some 150,000 at the very most. */
export const batchElementsMax: number = 1_000_000;
/** Share sessions of one connection; a client has one per group and member, which is one. */
export const shareSessionsPerConnectionMax: number = 100;
/** Partitions of one share session. */
export const shareSessionPartitionsMax: number = 100_000;
/** Fetch sessions of one connection; a client has one. The oldest ends beyond it. */
export const fetchSessionsPerConnectionMax: number = 4;
/** Partitions of the fetch sessions of one connection, together; a fetch of more makes no session. */
export const fetchSessionPartitionsMax: number = 100_000;
/** Ids of fetch sessions that one connection was given and may still name to have them closed. */
export const fetchSessionIdsPerConnectionMax: number = 16;
/** Age at which the decision about the partitions of a fetch session is made again, though the revision is the same. */
export const fetchSessionDecidedMs: number = 250;
/** Members of consumer groups that one connection heartbeats for; what is known of the oldest is asked for again beyond it. */
export const groupMembersPerConnectionMax: number = 100;
/** A subscription's regular expression: its text, and what it compiles to. */
export const subscriptionRegexCharsMax: number = 1_024;
export const subscriptionRegexInstructionsMax: number = 2_000;
/** Time that one expression may take over all topic names. */
export const subscriptionRegexMatchMs: number = 250;
/** Age at which the topic names that expressions are held against are asked for again. */
export const subscriptionTopicsAgeMs: number = 5_000;
/** Expressions of one cluster whose topics are remembered. */
export const subscriptionRegexesMax: number = 1_000;
/** Topic names, and as many topic ids, kept as strings so that none is made for each message; at first, and at most. Powers of two. */
export const internedNames: number = 1_024;
export const internedNamesMax: number = 32_768;
/** Longer names are not kept; Kafka's topic names have at most 249 characters. */
export const internedNameBytesMax: number = 255;
/** Metrics of one push of a client, as they come; brokers' own default for `telemetry.max.bytes` (KIP-714). */
export const telemetryPushBytesMax: number = 1_048_576;
/** One tagged field that is put together to be read; brokers' addresses are the largest, at some 50 bytes each. */
export const gatheredTagBytesMax: number = 1_048_576;
/** One message between the supervisor and a worker. The largest are audit entries of one turn, and pieces of a policy. */
export const workerMessageBytesMax: number = 134_217_728;
/** Connections that wait for a worker while none is up, and how long. */
export const connectionsWithoutWorkerMax: number = 1_000;
export const connectionWithoutWorkerMs: number = 10_000;
/** Batches of audit entries of one worker on their way to the log; entries beyond them go with the next. */
export const auditBatchesInFlightMax: number = 16;
/** A recording's block is sealed once it has so many bytes, and never has more than the second. */
export const recordingBlockBytes: number = 65_536;
export const recordingBlockBytesMax: number = 1_048_576;
/** Bytes of one session's recordings that may wait for the disk before its operations wait too (strict). */
export const recordingQueueBytesMax: number = 8_388_608;
/** Bytes of all recordings that may wait for the disk, and what was read in one go beyond it. More fails the recording (strict) or is not recorded and counted (available). */
export const recordingQueueBytesHardMax: number = 134_217_728;
/** A session that lasts longer goes on in another recording, so that retention can take the older ones. */
export const recordingSpanMs: number = 86_400_000;
/** Notices of commands that read or erase recordings: entered at a time, and the size of one. */
export const recordingNoticesMax: number = 1_000;
export const recordingNoticeBytesMax: number = 65_536;
/** One item of a recording when it is read: a frame, and what is told of it. */
export const recordingItemBytesMax: number = 402_653_184;
/** What answering a question about the audit log may take: threads, memory, and time unless more is asked for. */
export const auditQueryThreadsMax: number = 4;
export const auditQueryMemoryBytesMax: number = 1_073_741_824;
export const auditQueryTimeoutMs: number = 60_000;
/** Rows of one answer. */
export const auditQueryRowsMax: number = 100_000;
/** SQL that is asked. */
export const auditQuerySqlCharsMax: number = 65_536;
/** Of a segment that is being written, so much is read as it stands before what is whole of it is indexed. */
export const auditQueryTailBytesMax: number = 4_194_304;
/** What other programs leave for the audit log: one file, how many are taken at once, and how often. */
export const auditAccessFileBytesMax: number = 65_536;
export const auditAccessFilesAtOnce: number = 1_000;
export const auditAccessIntervalMs: number = 1_000;
/** Partitions of a produce request that is carried on without being decoded; one with more is decoded. */
export const glancePartitionsMax: number = 256;
/** Topics whose flows the connections of one session keep at hand for requests that pass undecoded, for each action. */
export const laneTopicsMax: number = 10_000;
