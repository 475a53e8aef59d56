/** Several gateways on one cluster and one IdP, each with another kind of listener: for tests that compare them. */
import assert from 'node:assert/strict';
import type { Entry } from '../src/model/entry.ts';
import type { CertificateFiles, CertificateOptions } from './certificates.ts';
import { type Idp, startIdp } from './idp.ts';
import { type KafkaCluster, startKafka } from './kafka.ts';
import { type PortOverrides, type Scene, startScene } from './scene.ts';
import type { WireClientOptions } from './wire-client.ts';

/** `alice` and `bob` may use `payments` by token; machines may use `ledger` by certificate. */
const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [payments], consumerGroups: [g1], actions: [describe, read, write] }
    - { port: orders, cluster: true, actions: [describe] }
---
apiVersion: sluice/v1
kind: Policy
metadata: { name: machines }
spec:
  subjects: [{ kind: workload, id: "spiffe-settle" }, { group: machines }]
  allow:
    - { port: orders, topics: [ledger], actions: [describe, read, write] }
`;
const clients = [
  { id: 'alice', secret: 'a', groups: ['team'] },
  { id: 'bob', secret: 'b', groups: ['team'] },
];

export interface PortScenes {
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  /** Another gateway in front of the same cluster. */
  scene(port: PortOverrides): Promise<Scene>;
  stop(): Promise<void>;
}

/** A cluster of one broker with the topics `payments` (2 partitions) and `ledger`. */
export async function startPortScenes(): Promise<PortScenes> {
  const [kafka, idp] = await Promise.all([startKafka(), startIdp({ clients })]);
  const scenes: Scene[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(scenes.map((one) => one.stop()));
    await idp.stop();
    await kafka.stop();
  };
  try {
    await kafka.createTopic('payments', { partitions: 2 });
    await kafka.createTopic('ledger');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kafka,
    idp,
    async scene(port) {
      const started = await startScene({ cluster: kafka, idp, clients, policies: { 'p.yaml': policy }, port });
      scenes.push(started);
      return started;
    },
    stop,
  };
}

/** TLS towards a scene's gateway under a name of the test's choosing, with a client certificate where one is given. */
export function tlsTo(on: Scene, servername: string, files?: CertificateFiles): WireClientOptions {
  assert.ok(on.authority, 'the scene has TLS');
  // The name says where to go, not whom to trust: the tests dial by address.
  const checkServerIdentity = (): undefined => undefined;
  const own = files === undefined ? {} : { cert: files.cert, key: files.key };
  return { tls: { ca: on.authority.ca, servername, checkServerIdentity, ...own } };
}

/** A client certificate of the CA that the scene's gateway trusts. */
export function certificate(on: Scene, name: string, options: CertificateOptions): Promise<CertificateFiles> {
  assert.ok(on.authority, 'the scene has TLS');
  return on.authority.clientFiles(name, options);
}

/** Waits for the entry of a refused credential. */
export function failure(on: Scene, code: string, since: number): Promise<Entry> {
  return on.entry(
    `authentication.failed ${code}`,
    (entry) =>
      entry.type.endsWith('authentication.failed') &&
      Date.parse(entry.time) >= since &&
      JSON.stringify(entry.data).includes(code),
  );
}

/** Waits for the session of a principal, or from an address. */
export function opened(on: Scene, part: { readonly id: string } | { readonly address: string }): Promise<Entry> {
  const [[key, value] = []] = Object.entries(part);
  return on.entry(
    `session.opened ${value ?? ''}`,
    (entry) => entry.type.endsWith('session.opened') && JSON.stringify(entry.data).includes(`"${key}":"${value}"`),
  );
}
