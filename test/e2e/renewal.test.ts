/** The gateway renews its session with a broker, and a request of its client comes in pieces just around that. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { Relay } from '../../harness/relay.ts';
import { type Scene, addressesOf, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ id: alice }]
  allow:
    - { port: orders, topics: ["*"], actions: [describe] }
`;
const password = 'secret';
const sessionMs = 3_000;

let kafka: KafkaCluster;
let relay: Relay;
let scene: Scene;

before(async () => {
  kafka = await startKafka({
    listeners: ['plaintext', 'sasl'],
    users: [{ name: 'sluice', password }],
    config: { 'connections.max.reauth.ms': String(sessionMs) },
  });
  relay = await Relay.start(kafka.bootstrap('sasl'));
  scene = await startScene({
    cluster: kafka,
    clients: [{ id: 'alice', secret: 'a' }],
    policies: { 'p.yaml': policy },
    port: {
      tls: 'server',
      upstream: {
        bootstrap: addressesOf(relay.address),
        sasl: { mechanism: 'PLAIN', username: 'sluice', password: { command: ['printf', '%s', password] } },
      },
    },
  });
});

after(async () => {
  relay?.close();
  await scene?.stop();
  await kafka?.stop();
});

test('a request whose end comes while the session is renewed is answered', async () => {
  const ca = scene.authority?.ca ?? '';
  const client = await WireClient.connect(scene.bootstrap, { tls: { ca, servername: 'localhost' } });
  await client.authenticate(await scene.idp.token('alice'));
  await client.ask('Metadata', 12, { topics: [] });

  const frame = client.frame('Metadata', 12, { topics: [{ name: 'none' }] });
  client.write(frame.subarray(0, 10));
  const sentBytes = relay.sentBytes;
  relay.keepBack();
  const deadline = performance.now() + 2 * sessionMs;
  while (relay.sentBytes === sentBytes) {
    assert.ok(performance.now() < deadline, 'the gateway renews its session in time');
    await sleep(5);
  }
  client.write(frame.subarray(10));
  await sleep(100);
  relay.letPass();

  const answer = await Promise.race([client.payload(), sleep(5_000, 'no answer within 5 s', { ref: false })]);
  assert.ok(Buffer.isBuffer(answer), String(answer));
  client.close();
});
