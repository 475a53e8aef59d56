/** What one connection may and may not do, seen from the wire: authentication, order, bounds, refusals. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { batchOf } from '../../harness/batches.ts';
import type { Scene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';
import { authenticatedOn, entered, startConnectionScene } from './connection-scene.ts';

let scene: Scene;

before(async () => {
  scene = await startConnectionScene();
});

after(async () => {
  await scene?.stop();
});

const authenticated = (): Promise<WireClient> => authenticatedOn(scene, 'alice');
const isFailure = (code: string, since: number): Promise<unknown> =>
  entered(scene, 'authentication.failed', code, since);
const isRefusal = (code: string, since: number): Promise<unknown> => entered(scene, 'operation.refused', code, since);

describe('before authentication', () => {
  test('a request other than ApiVersions and SASL closes the connection, and the log says so', async () => {
    const since = Date.now();
    const client = await WireClient.connect(scene.bootstrap);
    client.write(client.frame('Metadata', 12, { topics: null }));
    assert.equal(await client.payload(), null);
    await isFailure('unauthenticated-request', since);
  });

  test('pipelined behind ApiVersions it is not served either', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    const first = client.frame('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' });
    client.write(
      Buffer.concat([
        first,
        client.frame('Metadata', 12, { topics: null }),
        client.frame('Metadata', 12, { topics: null }),
      ]),
    );
    const { message } = await client.answer('ApiVersions', 3);
    assert.equal(message.errorCode, 0);
    assert.equal(await client.payload(), null);
  });

  test('nor in the middle of authentication', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    await client.ask('SaslHandshake', 1, { mechanism: 'PLAIN' });
    client.write(client.frame('Metadata', 12, { topics: null }));
    assert.equal(await client.payload(), null);
  });

  test('a frame over 512 KiB closes the connection before it is read', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    const size = Buffer.alloc(4);
    size.writeInt32BE(600_000);
    client.write(size);
    assert.ok(await client.closes(2_000));
  });

  test('bytes that are no frame close the connection', async () => {
    const since = Date.now();
    const client = await WireClient.connect(scene.bootstrap);
    client.write(Buffer.from('GET / HTTP/1.1\r\nHost: kafka\r\n\r\n'));
    assert.ok(await client.closes(2_000));
    await isFailure('malformed-', since);
  });

  test('ApiVersions in an unknown version is answered in version 0 with the range to use (KIP-511)', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    const frame = client.frame('ApiVersions', 0, {});
    frame.writeInt16BE(99, 6);
    client.write(frame);
    const { message } = await client.answer('ApiVersions', 0);
    assert.equal(message.errorCode, errorCodes.UNSUPPORTED_VERSION);
    assert.deepEqual(
      message.apiKeys.map(({ apiKey }) => apiKey),
      [18],
    );
    const again = await client.ask('ApiVersions', 4, { clientSoftwareName: 'test', clientSoftwareVersion: '1' });
    assert.equal(again.errorCode, 0);
    client.close();
  });

  test('ill-formed client software is refused with 42', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    const answer = await client.ask('ApiVersions', 3, { clientSoftwareName: '-bad-', clientSoftwareVersion: '1' });
    assert.equal(answer.errorCode, errorCodes.INVALID_REQUEST);
    client.close();
  });
});

describe('authentication', () => {
  test('an unknown mechanism is answered with 33 and what there is', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    const answer = await client.ask('SaslHandshake', 1, { mechanism: 'GSSAPI' });
    assert.equal(answer.errorCode, errorCodes.UNSUPPORTED_SASL_MECHANISM);
    assert.deepEqual(answer.mechanisms, ['OAUTHBEARER', 'PLAIN']);
    assert.ok(await client.closes());
  });

  test('PLAIN takes the token as its password', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    await client.ask('SaslHandshake', 1, { mechanism: 'PLAIN' });
    const answer = await client.ask('SaslAuthenticate', 2, {
      authBytes: Buffer.from(`\0token\0${await scene.idp.token('alice')}`),
    });
    assert.equal(answer.errorCode, 0);
    assert.ok(answer.sessionLifetimeMs > 0n);
    client.close();
  });

  test('handshake v0: the token comes bare, and an empty frame answers it', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    await client.ask('SaslHandshake', 0, { mechanism: 'PLAIN' });
    const token = Buffer.from(`\0token\0${await scene.idp.token('alice')}`);
    const size = Buffer.alloc(4);
    size.writeInt32BE(token.length);
    client.write(Buffer.concat([size, token]));
    assert.deepEqual(await client.payload(), Buffer.alloc(0));
    const answer = await client.ask('Metadata', 12, { topics: null });
    assert.deepEqual(
      answer.topics.map(({ name }) => name),
      ['payments'],
    );
    client.close();
  });

  test('a refused token is told apart for the client, after which the connection closes', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    const answer = await client.authenticate(await scene.idp.token('alice', { audience: 'elsewhere' }));
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    assert.match(answer.errorMessage ?? '', /audience/);
    assert.ok(await client.closes());
  });

  test('acting for somebody else by authorization id is refused', async () => {
    const client = await WireClient.connect(scene.bootstrap);
    await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
    const token = await scene.idp.token('alice');
    const answer = await client.ask('SaslAuthenticate', 2, {
      authBytes: Buffer.from(`n,a=bob,\x01auth=Bearer ${token}\x01\x01`),
    });
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    assert.ok(await client.closes());
  });
});

describe('requests', () => {
  test('answers keep the order of the requests, whether the gateway or the broker gives them', async () => {
    const client = await authenticated();
    const frames: Buffer[] = [];
    for (let index = 0; index < 60; index += 1) {
      const topic = index % 3 === 0 ? 'secrets' : 'payments';
      frames.push(
        client.frame('ListOffsets', 7, {
          replicaId: -1,
          topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
        }),
      );
    }
    client.write(Buffer.concat(frames));
    let last = 0;
    for (let index = 0; index < 60; index += 1) {
      const { correlationId, message } = await client.answer('ListOffsets', 7);
      assert.ok(correlationId > last);
      last = correlationId;
      const expected = index % 3 === 0 ? errorCodes.TOPIC_AUTHORIZATION_FAILED : 0;
      assert.equal(message.topics[0]?.partitions[0]?.errorCode, expected);
    }
    client.close();
  });

  test('acks=0 has no answer, and the next request has its own', async () => {
    const client = await authenticated();
    client.write(client.frame('Produce', 9, produceOf('payments', 0)));
    const answer = await client.ask('Metadata', 12, { topics: [{ name: 'payments' }] });
    assert.equal(answer.topics[0]?.name, 'payments');
    client.close();
  });

  test('acks=0 on a denied topic closes the connection: there is no answer to say no in', async () => {
    const client = await authenticated();
    client.write(client.frame('Produce', 9, produceOf('secrets', 0)));
    assert.ok(await client.closes());
  });

  test('a produce that is partly denied writes the rest and says which is which', async () => {
    const client = await authenticated();
    const message = produceOf('payments', -1);
    const answer = await client.ask('Produce', 9, {
      ...message,
      topicData: [...message.topicData, ...produceOf('secrets', -1).topicData],
    });
    const codes = new Map(
      answer.responses.map(({ name, partitionResponses }) => [name, partitionResponses[0]?.errorCode]),
    );
    assert.equal(codes.get('payments'), 0);
    assert.equal(codes.get('secrets'), errorCodes.TOPIC_AUTHORIZATION_FAILED);
    client.close();
  });

  test('a fetch session that was not made here is refused with 70, and the log has the guess', async () => {
    const since = Date.now();
    const client = await authenticated();
    const answer = await client.ask('Fetch', 12, {
      sessionId: 4711,
      sessionEpoch: 1,
      maxWaitMs: 100,
      minBytes: 1,
      topics: [],
    });
    assert.equal(answer.errorCode, errorCodes.FETCH_SESSION_ID_NOT_FOUND);
    await isRefusal('fetch-session-unknown', since);
    client.close();
  });

  test('a fetch as a replica gets nothing', async () => {
    const client = await authenticated();
    const answer = await client.ask('Fetch', 12, {
      replicaId: 1,
      maxWaitMs: 100,
      minBytes: 1,
      topics: [{ topic: 'payments', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }] }],
    });
    assert.equal(answer.responses[0]?.partitions[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
    client.close();
  });

  for (const [label, apiKey, version] of [
    ['an unknown API', 9_999, 0],
    ['a vendor API', 10_001, 0],
    ['a version nobody knows', 3, 99],
  ] as const) {
    test(`${label} closes the connection, and the log has it`, async () => {
      const since = Date.now();
      const client = await authenticated();
      const frame = client.frame('ListGroups', 0, {});
      frame.writeInt16BE(apiKey, 4);
      frame.writeInt16BE(version, 6);
      client.write(frame);
      assert.ok(await client.closes());
      await isRefusal('unsupported-api', since);
    });
  }

  test('an API of brokers among themselves is not served', async () => {
    const since = Date.now();
    const client = await authenticated();
    client.write(client.frame('WriteTxnMarkers', 1, { markers: [] }));
    assert.ok(await client.closes());
    await isRefusal('unsupported-api', since);
  });

  test('a truncated request closes the connection, and the log has it', async () => {
    const since = Date.now();
    const client = await authenticated();
    const frame = client.frame('Metadata', 12, { topics: [{ name: 'payments' }] });
    const cut = Buffer.from(frame.subarray(0, frame.length - 3));
    cut.writeInt32BE(cut.length - 4);
    client.write(cut);
    assert.ok(await client.closes());
    await isRefusal('malformed-request', since);
  });

  test('a client that never reads holds a bounded amount of the gateway', async () => {
    const big = await authenticated();
    const value = 'x'.repeat(900_000);
    for (let index = 0; index < 10; index += 1) await big.ask('Produce', 9, produceOf('payments', -1, value));
    big.close();
    const client = await authenticated();
    client.socket.pause();
    const rssBefore = process.memoryUsage().rss;
    const fetchAll = {
      replicaId: -1,
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 50_000_000,
      sessionEpoch: -1,
      topics: [{ topic: 'payments', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 50_000_000 }] }],
    };
    const frames = Array.from({ length: 200 }, () => client.frame('Fetch', 11, fetchAll));
    client.write(Buffer.concat(frames));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const grownBytes = process.memoryUsage().rss - rssBefore;
    // 200 answers of 9 MB would be 1.8 GB.
    assert.ok(grownBytes < 250_000_000, `grew by ${Math.round(grownBytes / 1e6)} MB`);
    client.close();
  });
});

function produceOf(topic: string, acks: number, value = 'hello') {
  return {
    acks,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batchOf([value]) }] }],
  };
}
