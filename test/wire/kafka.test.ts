/**
 * Frames that real clients and real brokers sent, against the codec: each decodes, and encodes to the same bytes again.
 * A mistake that reader and writer share passes every round trip of our own, but not these.
 *
 * `kafka/<ApiName>/<request|response>-v<version>-<n>.hex` holds one frame without its size as hex, over any number of
 * lines; lines that start with `#` say which client or broker it is from.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';

import type { ApiName } from '../../src/ports/kafka/protocol/protocol.ts';
import {
  apiByName,
  apis,
  batches,
  buildBatch,
  codecOf,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  parseBatch,
} from '../../src/ports/kafka/protocol/protocol.ts';

const folder = new URL('kafka/', import.meta.url).pathname;
const files = globSync('*/*.hex', { cwd: folder }).toSorted();
const sizeBytes = 4;

interface Golden {
  readonly api: ApiName;
  readonly direction: 'request' | 'response';
  readonly version: number;
  readonly payload: Buffer;
}

function load(file: string): Golden {
  const row = apis.find(({ name }) => name === dirname(file));
  assert.ok(row, `${file}: its folder is not the name of an API`);
  const match = /^(request|response)-v(\d+)-[\w.-]+\.hex$/.exec(basename(file));
  assert.ok(match, `${file}: its name is not <request|response>-v<version>-<n>.hex`);
  const hex = readFileSync(folder + file, 'utf8')
    .replaceAll(/^#.*$/gm, '')
    .replaceAll(/\s+/g, '');
  assert.match(hex, /^([0-9a-f]{2})+$/i, `${file}: not hex`);
  const direction = match[1] === 'request' ? 'request' : 'response';
  return { api: row.name, direction, version: Number(match[2]), payload: Buffer.from(hex, 'hex') };
}

function againAsRequest({ api, version, payload }: Golden): Buffer {
  const header = decodeRequestHeader(payload);
  assert.deepEqual([header.apiKey, header.apiVersion], [apiByName(api).key, version]);
  return encodeRequest(api, version, header, decodeRequest(api, version, payload, header.headerBytes));
}

function againAsResponse({ api, version, payload }: Golden): Buffer {
  const { correlationId, message, unknownTags } = decodeResponse(api, version, payload);
  return encodeResponse(api, version, correlationId, message, unknownTags);
}

/** The records of a frame, of every partition. */
function recordsOf({ api, direction, version, payload }: Golden): (Buffer | null)[] {
  if (api === 'Produce' && direction === 'request') {
    const request = decodeRequest('Produce', version, payload, decodeRequestHeader(payload).headerBytes);
    return request.topicData.flatMap((topic) => topic.partitionData.map(({ records }) => records));
  }
  if (api === 'Fetch' && direction === 'response') {
    const { message } = decodeResponse('Fetch', version, payload);
    return message.responses.flatMap((topic) => topic.partitions.map(({ records }) => records));
  }
  return [];
}

/** Every whole batch of magic 2 parses, and builds again: to the same bytes where they are not compressed. */
function checkBatches(records: Buffer): void {
  for (const header of batches(records)) {
    if (header.magic !== 2) continue;
    const parsed = parseBatch(records, header.position);
    const built = buildBatch(header, parsed.records);
    assert.deepEqual(parseBatch(built).records, parsed.records);
    if (codecOf(header.attributes) !== 'none') continue;
    const original = records.subarray(header.position, header.position + header.sizeBytes);
    assert.equal(built.toString('hex'), original.toString('hex'));
  }
}

test('there are frames to hold the codec against', () => {
  assert.ok(files.length > 0, `no .hex file in ${folder}`);
});

for (const file of files) {
  test(file, () => {
    const golden = load(file);
    const frame = golden.direction === 'request' ? againAsRequest(golden) : againAsResponse(golden);
    assert.equal(frame.readInt32BE(0), frame.length - sizeBytes);
    assert.equal(frame.toString('hex', sizeBytes), golden.payload.toString('hex'));
    for (const records of recordsOf(golden)) if (records !== null) checkBatches(records);
  });
}
