/** A gateway that is asked from the wire, by clients that get one topic of two. */
import assert from 'node:assert/strict';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import type { Entry } from '../../src/model/entry.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [payments], consumerGroups: [g1], actions: [read, write] }
`;

/** The tokens of `brief` end after three seconds. */
export async function startConnectionScene(): Promise<Scene> {
  const scene = await startScene({
    clients: [
      { id: 'alice', secret: 'a', groups: ['team'] },
      { id: 'bob', secret: 'b', groups: ['team'] },
      { id: 'brief', secret: 'c', groups: ['team'], ttlSeconds: 3 },
    ],
    policies: { 'team.yaml': policy },
  });
  await scene.kafka.createTopic('payments');
  await scene.kafka.createTopic('secrets');
  return scene;
}

export async function authenticatedOn(scene: Scene, clientId: string): Promise<WireClient> {
  const client = await WireClient.connect(scene.bootstrap);
  const answer = await client.authenticate(await scene.idp.token(clientId));
  assert.equal(answer.errorCode, 0);
  return client;
}

/** Waits for an entry of that kind that names the code and is not older. */
export function entered(scene: Scene, kind: string, code: string, since: number): Promise<Entry> {
  return scene.entry(
    `${kind} ${code}`,
    ({ type, time, data }) => type.endsWith(kind) && Date.parse(time) >= since && JSON.stringify(data).includes(code),
  );
}
