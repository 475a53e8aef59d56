import { SluiceError, messageOf } from '../src/lib/errors.ts';
import { createKafkaAdmin } from './kafka-admin.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { KafkaCluster } from './kafka-cluster.ts';

/** Options that only a cluster of our own can honour. */
const ownOnly = [
  'nodes',
  'acls',
  'superUsers',
  'users',
  'scramUsers',
  'oauth',
  'authority',
  'advertise',
  'autoCreateTopics',
  'config',
  'version',
] as const;

/**
 * The user's own Kafka as `SLUICE_KAFKA` names it, by its plaintext listener; nothing of it is started or stopped.
 * @throws {SluiceError} `kafka-own` where it cannot be reached or more is asked than a plaintext listener
 */
export async function ownKafka(address: string, options: KafkaOptions): Promise<KafkaCluster> {
  const begun = performance.now();
  refuse(options);
  if (!/^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$/.test(address)) throw refusal(`SLUICE_KAFKA=${address} is not host:port.`);
  const admin = createKafkaAdmin(address.split(','));
  const { clusterId, brokers } = await (await admin.client().catch(unreachable(address))).describeCluster();
  const cannot = async (): Promise<never> => {
    throw refusal(
      'A node of your own Kafka is not ours to stop, start or change. Unset SLUICE_KAFKA for tests that do.',
    );
  };
  return {
    version: 'own',
    clusterId,
    brokers: brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port: () => port })),
    startMs: performance.now() - begun,
    authority: undefined,
    admin,
    bootstrap: (listener = 'plaintext') => {
      if (listener !== 'plaintext') throw refusal(`SLUICE_KAFKA offers a plaintext listener only, not ${listener}.`);
      return address;
    },
    createTopic: (name, topic) => admin.createTopic(name, topic),
    deleteTopic: (name) => admin.deleteTopic(name),
    log: () => {
      throw refusal('The log of your own Kafka is where you put it.');
    },
    stopNode: cannot,
    startNode: cannot,
    setPlainUsers: cannot,
    stop: () => admin.close(),
  };
}

function refuse(options: KafkaOptions): void {
  const asked: string[] = ownOnly.filter(
    (name) => options[name] !== undefined && options[name] !== false && options[name] !== 1,
  );
  const listeners = (options.listeners ?? []).filter((kind) => kind !== 'plaintext');
  if (listeners.length > 0) asked.push(`listeners (${listeners.join(', ')})`);
  if (asked.length === 0) return;
  throw refusal(
    `SLUICE_KAFKA stands for one plaintext listener and cannot offer: ${asked.join(', ')}. Unset it to have Kafka started for you.`,
  );
}

function unreachable(address: string): (cause: unknown) => never {
  return (cause) => {
    throw new SluiceError('kafka-own', `The Kafka of SLUICE_KAFKA=${address} does not answer: ${messageOf(cause)}`, {
      cause,
      retriable: true,
    });
  };
}

function refusal(message: string): SluiceError<'kafka-own'> {
  return new SluiceError('kafka-own', message);
}
