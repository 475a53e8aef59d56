import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiName, ProtocolErrorCode } from './protocol.ts';
import {
  apiByKey,
  apiByName,
  apis,
  decodeData,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeData,
  encodeRequest,
  encodeResponse,
  errorCodes,
  errorName,
  ProtocolError,
  specification,
  zeroUuid,
} from './protocol.ts';

const header = { correlationId: 7, clientId: 'c' };

function refused(run: () => unknown, code: ProtocolErrorCode, message?: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

/** Bytes written out by hand from the protocol guide; spaces stand between fields. */
function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s+/g, ''), 'hex');
}

test('every API of a broker listener that was not removed is there, and nothing else', () => {
  const expected = specification.filter((row) => !row.removed && row.listeners.includes('broker'));
  assert.deepEqual(
    apis.map(({ key, name }) => [key, name]),
    expected.map(({ key, name }) => [key, name]),
  );
  assert.equal(specification.length, 93);
  for (const row of apis) assert.ok(apiByKey(row.key) === row && apiByName(row.name) === row);
  // ControlledShutdown was removed, Vote is for controllers, 93 is not given out.
  for (const key of [7, 52, 93, -1, 10_000]) assert.equal(apiByKey(key), undefined);
  assert.deepEqual([apiByName('InitProducerId').maxVersion, apiByName('Produce').advertisedMinVersion], [5, 0]);
});

test('error codes have names and names have codes', () => {
  assert.equal(errorCodes.TOPIC_AUTHORIZATION_FAILED, 29);
  assert.deepEqual(
    [errorName(0), errorName(-1), errorName(29), errorName(9_999)],
    ['NONE', 'UNKNOWN_SERVER_ERROR', 'TOPIC_AUTHORIZATION_FAILED', 'UNKNOWN_ERROR_9999'],
  );
});

test('header v1 and v2 are told apart by API and version', () => {
  const plain = decodeRequestHeader(hex('0003 0008 0000002a 0001 63 ffff'));
  assert.deepEqual(plain, {
    apiKey: 3,
    apiVersion: 8,
    correlationId: 42,
    clientId: 'c',
    unknownTags: [],
    headerBytes: 11,
  });
  const flexible = decodeRequestHeader(hex('0003 0009 0000002a ffff 01 05 02 abcd'));
  assert.deepEqual(flexible, {
    apiKey: 3,
    apiVersion: 9,
    correlationId: 42,
    clientId: null,
    unknownTags: [{ tag: 5, data: hex('abcd') }],
    headerBytes: 15,
  });
});

test('of an unknown API or version only the part is read that all headers share', () => {
  for (const [key, version] of [
    [18, 99],
    [18, -1],
    [3, 99],
    [93, 0],
    [52, 0],
    [-5, 3],
  ] as const) {
    const payload = hex('0000 0000 0000002a 0001 63 ff ff ff ff ff');
    payload.writeInt16BE(key, 0);
    payload.writeInt16BE(version, 2);
    const read = decodeRequestHeader(payload);
    assert.deepEqual(
      [read.apiKey, read.apiVersion, read.correlationId, read.clientId, read.headerBytes],
      [key, version, 42, 'c', 11],
    );
  }
});

test('a header that is cut off or has an impossible length is refused', () => {
  const whole = hex('0003 0009 0000002a 0001 63 00');
  for (let length = 0; length < whole.length; length += 1) {
    refused(() => decodeRequestHeader(whole.subarray(0, length)), 'truncated');
  }
  refused(() => decodeRequestHeader(hex('0003 0009 0000002a fffe 63')), 'bad-length');
});

test('a client id that is not UTF-8 is taken, since it decides nothing; a topic name is not', () => {
  assert.equal(decodeRequestHeader(hex('0003 0008 0000002a 0001 e9')).clientId, '\ufffd');
  refused(() => decodeRequest('Metadata', 1, hex('00000001 0001 e9'), 0), 'bad-value', /UTF-8/);
  assert.equal(decodeRequest('Metadata', 1, hex('00000001 0003 efbfbd'), 0).topics?.[0]?.name, '\ufffd');
});

test('a request of Metadata v12 as bytes', () => {
  // One topic by name, one by id; header tags, compact array of 2, uuid, compact nullable name, tags.
  const frame = encodeRequest('Metadata', 12, header, {
    topics: [{ name: 'payments' }, { topicId: 'AQIDBAUGBwgJCgsMDQ4PEA', name: null }],
    allowAutoTopicCreation: false,
  });
  const expected = hex(`
    00000044
    0003 000c 00000007 0001 63 00
    03
    00000000000000000000000000000000 09 7061796d656e7473 00
    0102030405060708090a0b0c0d0e0f10 00 00
    00 00 00
  `);
  expected.writeInt32BE(expected.length - 4);
  assert.equal(frame.toString('hex'), expected.toString('hex'));
});

test('a response of ApiVersions v3 has a header of v0 and tagged features', () => {
  const frame = encodeResponse('ApiVersions', 3, 7, {
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
    finalizedFeaturesEpoch: 5n,
    finalizedFeatures: [{ name: 'f', maxVersionLevel: 2, minVersionLevel: 1 }],
  });
  const body = hex(`
    00000007
    0000
    02 0012 0000 0004 00
    00000000
    02
    01 08 0000000000000005
    02 08 02 02 66 0002 0001 00
  `);
  // Compact array of one: 02; name: 02 66; levels; tags of the element: 8 bytes in all.
  assert.equal(frame.subarray(4).toString('hex'), body.toString('hex'));
  const { correlationId, message } = decodeResponse('ApiVersions', 3, body);
  assert.equal(correlationId, 7);
  assert.equal(message.finalizedFeaturesEpoch, 5n);
  assert.deepEqual(message.supportedFeatures, []);
});

test('a nullable structure is there after 01 and null after ff', () => {
  const present = encodeRequest('DescribeTopicPartitions', 0, header, {
    cursor: { topicName: 't', partitionIndex: 3 },
  });
  const absent = encodeRequest('DescribeTopicPartitions', 0, header, { cursor: null });
  assert.equal(present.subarray(16).toString('hex'), '01000007d0010274000000030000');
  assert.equal(absent.subarray(16).toString('hex'), '01000007d0ff00');
});

test('null and empty are not the same', () => {
  for (const version of [1, 12]) {
    for (const topics of [null, []]) {
      const payload = encodeRequest('Metadata', version, header, { topics }).subarray(4);
      const { headerBytes } = decodeRequestHeader(payload);
      assert.deepEqual(decodeRequest('Metadata', version, payload, headerBytes).topics, topics);
    }
  }
});

test('a value that the version has no field for is refused, unless the schema lets it go', () => {
  refused(
    () => encodeRequest('OffsetCommit', 6, header, { groupId: 'g', groupInstanceId: 'static' }),
    'unsupported-version',
    /groupInstanceId/,
  );
  encodeRequest('OffsetCommit', 6, header, { groupId: 'g', groupInstanceId: null });
  encodeResponse('Metadata', 0, 1, { throttleTimeMs: 10 });
  refused(
    () => encodeRequest('Metadata', 8, header, { unknownTags: [{ tag: 9, data: hex('00') }] }),
    'unsupported-version',
  );
});

test('null where the version has none is refused, both ways', () => {
  refused(() => encodeRequest('Metadata', 0, header, { topics: null }), 'bad-value', /topics/);
  refused(() => decodeRequest('Metadata', 0, hex('ffffffff'), 0), 'bad-value');
  refused(() => decodeRequest('FindCoordinator', 0, hex('ffff'), 0), 'bad-value');
});

test('a number that does not fit its type is refused, not cut', () => {
  const response = (errorCode: number): Buffer => encodeResponse('Heartbeat', 0, 1, { errorCode });
  for (const value of [0x8000, -0x8001, 1.5, Number.NaN]) refused(() => response(value), 'bad-value');
  refused(
    () => encodeResponse('Produce', 3, 1, { responses: [{ partitionResponses: [{ baseOffset: 2n ** 63n }] }] }),
    'bad-value',
  );
  refused(() => encodeRequest('Metadata', 12, header, { topics: [{ topicId: 'short' }] }), 'bad-value');
  refused(() => encodeRequest('FindCoordinator', 0, header, { key: 'x'.repeat(32_768) }), 'bad-length');
});

test('tagged fields: ascending order, each once, and of the length they say', () => {
  const metadata = (tags: string): Buffer => hex(`00 01 00 00 ${tags}`);
  const read = (tags: string): unknown => decodeRequest('Metadata', 10, metadata(tags), 0).unknownTags;
  assert.deepEqual(read('02 07 01 aa 09 00'), [
    { tag: 7, data: hex('aa') },
    { tag: 9, data: hex('') },
  ]);
  refused(() => read('02 09 00 07 01 aa'), 'bad-value');
  refused(() => read('02 07 00 07 00'), 'bad-value');
  refused(() => read('01 07 05 aa'), 'truncated');
  refused(() => read('ffffffff0f'), 'bad-length');
  refused(() => read('ffffffff1f'), 'bad-length');
  // Fetch v12 has tag 0, cluster id: a compact string of one byte in a field of three.
  const fetch = encodeRequest('Fetch', 12, header, { clusterId: 'a' }).subarray(4);
  const { headerBytes } = decodeRequestHeader(fetch);
  assert.equal(fetch.subarray(-4).toString('hex'), '00020261');
  const wrong = Buffer.concat([fetch.subarray(0, -3), hex('03 0261 00')]);
  refused(() => decodeRequest('Fetch', 12, wrong, headerBytes), 'bad-length', /clusterId/);
  refused(
    () => encodeRequest('Fetch', 12, header, { clusterId: 'a', unknownTags: [{ tag: 0, data: hex('00') }] }),
    'bad-value',
  );
});

test('unknown tags stand among known ones in the order of all tags', () => {
  const message = {
    clusterId: 'a',
    unknownTags: [
      { tag: 8, data: hex('ff') },
      { tag: 3, data: hex('') },
    ],
  };
  const payload = encodeRequest('Fetch', 12, header, message).subarray(4);
  assert.ok(payload.toString('hex').endsWith('030002026103000801ff'));
  const { headerBytes } = decodeRequestHeader(payload);
  const decoded = decodeRequest('Fetch', 12, payload, headerBytes);
  assert.ok(encodeRequest('Fetch', 12, header, decoded).subarray(4).equals(payload));
});

test('records are views of the frame', () => {
  const records = Buffer.from('not looked into');
  const frame = encodeResponse('Fetch', 13, 1, { responses: [{ partitions: [{ records }] }] });
  const decoded = decodeResponse('Fetch', 13, frame.subarray(4)).message.responses[0]?.partitions[0]?.records;
  assert.ok(decoded && decoded.equals(records));
  assert.equal(decoded.buffer, frame.buffer);
  const request = encodeRequest('Produce', 9, header, { topicData: [{ partitionData: [{ records }] }] }).subarray(4);
  const produce = decodeRequest('Produce', 9, request, decodeRequestHeader(request).headerBytes);
  assert.equal(produce.topicData[0]?.partitionData[0]?.records?.buffer, request.buffer);
});

test('versions outside the table are refused by name', () => {
  const calls: [ApiName, number][] = [
    ['Produce', 2],
    ['Produce', 14],
    ['InitProducerId', 6],
    ['Metadata', -1],
    ['Metadata', 1.5],
    ['Metadata', Number.NaN],
  ];
  for (const [name, version] of calls) {
    refused(() => decodeRequest(name, version, Buffer.alloc(100), 0), 'unsupported-version', new RegExp(name));
    refused(() => decodeResponse(name, version, Buffer.alloc(100)), 'unsupported-version');
    refused(() => encodeRequest(name, version, header, {}), 'unsupported-version');
    refused(() => encodeResponse(name, version, 1, {}), 'unsupported-version');
  }
});

test('a message larger than the first buffer of the writer', () => {
  const topics = Array.from({ length: 3_000 }, (_, index) => ({ name: `topic-${index}`, topicId: zeroUuid }));
  const payload = encodeRequest('Metadata', 12, header, { topics }).subarray(4);
  const decoded = decodeRequest('Metadata', 12, payload, decodeRequestHeader(payload).headerBytes);
  assert.deepEqual(decoded.topics, topics);
});

test('a member subscription as bytes', () => {
  const bytes = encodeData('ConsumerProtocolSubscription', 1, { topics: ['t'], userData: null });
  assert.equal(bytes.toString('hex'), '00000001000174ffffffff00000000');
  assert.deepEqual(decodeData('ConsumerProtocolSubscription', 1, bytes, 0).topics, ['t']);
  refused(() => decodeData('ConsumerProtocolSubscription', 4, bytes, 0), 'unsupported-version');
});

test("librdkafka's request for all topics, which has three bytes too many, is read as brokers read it", () => {
  // 0 for "all topics" in the first of the four bytes set aside for a length; then what should stand behind it: true, false, no tags
  const body = hex('00 00 00 00  01 00 00');
  for (const version of [12, 13]) {
    const { topics } = decodeRequest('Metadata', version, body, 0);
    assert.equal(topics, null);
  }
  refused(() => decodeRequest('DescribeGroups', 5, hex('01 00 00 00'), 0), 'trailing-bytes');
});
