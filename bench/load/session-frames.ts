/**
 * Frames of a consumer of many partitions of which one has something new: as a fetch session (KIP-227), where a request
 * names that one and the answer holds that one, and without, where both list all of them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { batchOf } from '../../harness/batches.ts';
import {
  type Draft,
  type FetchRequest,
  type FetchResponse,
  encodeRequest,
  encodeResponse,
} from '../../src/ports/kafka/protocol/protocol.ts';
import { type Exchange, apiKeys, clientId, fetchVersion, topicId } from './frames.ts';

export interface SessionFrames {
  /** For the fake broker, which knows a request by the most that it wants to be answered. */
  readonly rules: readonly string[];
  /** Requests of a session that was begun with all partitions. */
  readonly incremental: Exchange;
  /** Requests that ask for a session and name everything, each time: no session is made. */
  readonly full: Exchange;
}

export const partitionsPerTopic = 100;
const sessionId = 4_711;
/** Header up to the client id's end and tags, then maxWaitMs and minBytes. */
const maxBytesAt = 4 + 2 + 2 + 4 + 2 + clientId.length + 1 + 4 + 4;
/** Behind maxBytes, isolation level and session id. */
const epochAt = maxBytesAt + 4 + 1 + 4;
const maxBytesBase = 50_000_000;
let kinds = 0;

/** @param recordBytes of the one partition that has something new */
export function writeSessionFrames(folder: string, partitions: number, recordBytes: number): SessionFrames {
  const records = batchOf([Buffer.alloc(recordBytes, 'x')]);
  const name = `session-${partitions}-${recordBytes}`;
  const write = (kind: string, asked: number, sessionEpoch: number, answer: Draft<FetchResponse>): Written => {
    kinds += 1;
    const maxBytes = maxBytesBase + kinds;
    const request = encodeRequest(
      'Fetch',
      fetchVersion,
      { correlationId: 0, clientId },
      {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes,
        sessionId: sessionEpoch > 0 ? sessionId : 0,
        sessionEpoch,
        topics: topicsOf(asked),
      },
    );
    const response = encodeResponse('Fetch', fetchVersion, 0, answer);
    const requestFile = join(folder, `${name}-${kind}-request.bin`);
    const responseFile = join(folder, `${name}-${kind}-response.bin`);
    writeFileSync(requestFile, request);
    writeFileSync(responseFile, response);
    const rule = `${apiKeys.fetch} ${fetchVersion} ${maxBytesAt} ${maxBytes} - ${responseFile} -`;
    return { rule, requestFile, responseFile, frameBytes: response.length };
  };
  const all = answered(partitions, records);
  const begin = write('begin', partitions, 0, { sessionId, responses: all });
  const next = write('next', 1, 1, { sessionId, responses: answered(1, records) });
  const full = write('full', partitions, 0, { responses: all });
  const exchange = { operation: 'fetch', topicAt: { request: 0, response: 0 }, sizeAt: -1 } as const;
  return {
    rules: [begin.rule, next.rule, full.rule],
    incremental: { ...exchange, ...next, session: { beginFile: begin.requestFile, epochAt } },
    full: { ...exchange, ...full },
  };
}

interface Written extends Pick<Exchange, 'requestFile' | 'responseFile' | 'frameBytes'> {
  readonly rule: string;
}

/** How many partitions of each topic, so many in all. */
function spread(partitions: number): number[] {
  const topics = Math.ceil(partitions / partitionsPerTopic);
  return Array.from({ length: topics }, (_, index) =>
    Math.min(partitionsPerTopic, partitions - index * partitionsPerTopic),
  );
}

function topicsOf(partitions: number): Draft<FetchRequest>['topics'] {
  return spread(partitions).map((count, topic) => ({
    topicId: topicId(topic),
    partitions: Array.from({ length: count }, (_, partition) => ({
      partition,
      currentLeaderEpoch: 3,
      fetchOffset: 4_711n,
      partitionMaxBytes: 1_048_576,
    })),
  }));
}

function answered(partitions: number, records: Buffer): Draft<FetchResponse>['responses'] {
  return spread(partitions).map((count, topic) => ({
    topicId: topicId(topic),
    partitions: Array.from({ length: count }, (_, partitionIndex) => ({
      partitionIndex,
      highWatermark: 9_999n,
      lastStableOffset: 9_999n,
      logStartOffset: 0n,
      records: topic === 0 && partitionIndex === 0 ? records : Buffer.alloc(0),
    })),
  }));
}
