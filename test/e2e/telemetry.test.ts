/** Clients' own metrics (KIP-714) where the broker has no receiver for them: neither it nor the gateway offers to take any. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { apiByName } from '../../src/ports/kafka/protocol/protocol.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow: [{ port: orders, topics: [payments], actions: [read] }]
`;
let scene: Scene;

before(async () => {
  scene = await startScene({
    clients: [{ id: 'alice', secret: 'a', groups: ['team'] }],
    policies: { 'team.yaml': policy },
  });
});

after(async () => {
  await scene?.stop();
});

const push = { clientInstanceId: 'AAAAAAAAAAAAAAAAAAAAAQ', subscriptionId: 1, metrics: Buffer.alloc(10) };

for (const side of ['broker', 'gateway'] as const) {
  const connect = async (): Promise<WireClient> => {
    if (side === 'broker') return WireClient.connect(scene.kafka.bootstrap());
    const client = await WireClient.connect(scene.bootstrap);
    assert.equal((await client.authenticate(await scene.idp.token('alice'))).errorCode, 0);
    return client;
  };

  test(`the ${side} offers neither API, so that clients do not try`, async () => {
    const client = await connect();
    const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1' };
    const { apiKeys } = await client.ask('ApiVersions', 4, software);
    const offered = apiKeys.map(({ apiKey }) => apiKey);
    for (const name of ['GetTelemetrySubscriptions', 'PushTelemetry'] as const)
      assert.ok(!offered.includes(apiByName(name).key), name);
    client.close();
  });
}

test('asked all the same, a broker wants no metrics; the gateway serves nothing that it does not offer', async () => {
  const direct = await WireClient.connect(scene.kafka.bootstrap());
  const { errorCode, requestedMetrics } = await direct.ask('GetTelemetrySubscriptions', 0, {});
  assert.deepEqual([errorCode, requestedMetrics], [0, []]);
  direct.close();
  const token = await scene.idp.token('alice');
  for (const frameOf of [
    (client: WireClient) => client.frame('GetTelemetrySubscriptions', 0, {}),
    (client: WireClient) => client.frame('PushTelemetry', 0, push),
  ]) {
    const client = await WireClient.connect(scene.bootstrap);
    assert.equal((await client.authenticate(token)).errorCode, 0);
    client.write(frameOf(client));
    assert.ok(await client.closes(5_000));
  }
});

test('and the log tells of it', async () => {
  for (const name of ['GetTelemetrySubscriptions v0', 'PushTelemetry v0']) {
    await scene.entry(name, ({ type, data }) => {
      const text = JSON.stringify(data);
      return type.endsWith('operation.refused') && text.includes('unsupported-api') && text.includes(name);
    });
  }
});
