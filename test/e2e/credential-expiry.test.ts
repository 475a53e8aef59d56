/** A client's credential on an open connection: renewed, changed, and at its end, seen from the wire. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Scene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { renewalGraceMs } from '../../src/lib/limits.ts';
import { errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';
import { authenticatedOn, entered, startConnectionScene } from './connection-scene.ts';

let scene: Scene;

before(async () => {
  scene = await startConnectionScene();
});

after(async () => {
  await scene?.stop();
});

test('re-authentication as another principal closes the connection (KIP-368)', async () => {
  const since = Date.now();
  const client = await authenticatedOn(scene, 'alice');
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const answer = await client.authenticate(await scene.idp.token('bob'));
  assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
  assert.ok(await client.closes());
  await entered(scene, 'authentication.failed', 'principal-changed', since);
});

test('re-authentication as the same principal goes on, and the log has it', async () => {
  const since = Date.now();
  const client = await authenticatedOn(scene, 'alice');
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const answer = await client.authenticate(await scene.idp.token('alice'));
  assert.equal(answer.errorCode, 0);
  const metadata = await client.ask('Metadata', 12, { topics: [{ name: 'payments' }] });
  assert.equal(metadata.topics[0]?.errorCode, 0);
  await scene.entry(
    'authentication.renewed',
    (entry) => entry.type.endsWith('authentication.renewed') && Date.parse(entry.time) >= since,
  );
  client.close();
});

test('an idle connection is closed when its token expires', async () => {
  const client = await authenticatedOn(scene, 'brief');
  const begun = performance.now();
  assert.ok(await client.closes(8_000));
  assert.ok(performance.now() - begun < 5_000, 'it was closed at expiry, not by another timer');
});

test('a renewal that began in time may end after the expiry, as at a broker', async () => {
  const client = await authenticatedOn(scene, 'brief');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const handshake = await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
  assert.equal(handshake.errorCode, 0);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const authBytes = Buffer.from(`n,,\x01auth=Bearer ${await scene.idp.token('brief')}\x01\x01`);
  const answer = await client.ask('SaslAuthenticate', 2, { authBytes });
  assert.equal(answer.errorCode, 0);
  client.close();
});

test('what is in flight at the expiry is answered, so that no producer sends again what is written; then it is closed', async () => {
  const client = await authenticatedOn(scene, 'brief');
  const begun = performance.now();
  const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }];
  const poll = { replicaId: -1, maxWaitMs: 4_500, minBytes: 1_000_000, maxBytes: 1_000, sessionEpoch: -1 };
  client.write(client.frame('Fetch', 11, { ...poll, topics: [{ topic: 'payments', partitions }] }));
  await new Promise((resolve) => setTimeout(resolve, 3_700));
  client.write(client.frame('Metadata', 9, { topics: null }));
  assert.notEqual(await client.payload(), null, 'the long poll');
  assert.ok(performance.now() - begun > 4_000);
  assert.equal(await client.payload(), null, 'what came after the expiry is not taken');
});

test('an answer just before the expiry and the end of the connection do not come together', async () => {
  const client = await WireClient.connect(scene.bootstrap);
  const { sessionLifetimeMs } = await client.authenticate(await scene.idp.token('brief'));
  await new Promise((resolve) => setTimeout(resolve, Number(sessionLifetimeMs) + 200));
  assert.equal(client.closed, false, 'nothing is closed without a request at the very moment of the expiry');
  const begun = performance.now();
  client.write(client.frame('Metadata', 9, { topics: null }));
  assert.equal(await client.payload(), null, 'a request after the expiry is not taken');
  assert.ok(performance.now() - begun < 500);
});

test('a renewal that is begun and never ended does not keep a connection open', async () => {
  const client = await authenticatedOn(scene, 'brief');
  const begun = performance.now();
  await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
  assert.ok(await client.closes(3_000 + renewalGraceMs + 3_000));
  assert.ok(performance.now() - begun < 3_000 + renewalGraceMs + 2_000);
});
