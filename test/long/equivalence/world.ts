/**
 * The two sides: a broker whose own authorizer enforces the rules as ACLs, and a gateway that enforces them as policy
 * in front of a broker that lets it do everything. That broker has an authorizer too, without a single ACL and with
 * everyone a super user, so that the ACL APIs themselves can be compared.
 */
import { type Scene, startScene } from '../../../harness/scene.ts';
import { type KafkaCluster, startKafka } from '../../../harness/kafka.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import { errorName } from '../../../src/ports/kafka/protocol/protocol.ts';
import { At, sharedToken } from './at.ts';
import { type User, aclCreations, policyText, readDenial, readDenialText, users } from './rules.ts';
import { Side, type SideAddresses } from './side.ts';

export interface Lane {
  readonly broker: Side;
  readonly gateway: Side;
  close(): void;
}

export interface World {
  readonly scene: Scene;
  /** Connections of its own for each; several may work at a time. */
  lane(): Lane;
  stop(): Promise<void>;
}

const password = 'secret';
const tokenLifetimeSeconds = 7_200;
/** One configuration for both. */
const config = { 'transaction.max.timeout.ms': '7200000', 'group.streams.initial.rebalance.delay.ms': '0' };

export async function startWorld(): Promise<World> {
  const kafka = {
    acls: true,
    autoCreateTopics: true,
    listeners: ['plaintext', 'sasl'],
    users: users.map((name) => ({ name, password })),
    config,
  } as const;
  const [judge, scene] = await Promise.all([
    startKafka(kafka),
    startScene({
      kafka,
      clients: users.map((id) => ({ id, secret: id, groups: [id], ttlSeconds: tokenLifetimeSeconds })),
      policies: { 'users.yaml': policyText('orders') },
    }),
  ]);
  const stop = async (): Promise<void> => {
    await Promise.all([judge.stop(), scene.stop()]);
  };
  try {
    const topicIds = { broker: new Map<string, string>(), gateway: new Map<string, string>() };
    const lane = (): Lane => {
      const broker = new Side(brokerAddresses(judge), topicIds.broker);
      const gateway = new Side(gatewayAddresses(scene), topicIds.gateway);
      const close = (): void => {
        broker.close();
        gateway.close();
      };
      return { broker, gateway, close };
    };
    const first = lane();
    await Promise.all([grant(first.broker), ...[first.broker, first.gateway].map(furnish)]);
    first.close();
    return { scene, lane, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function brokerAddresses(judge: KafkaCluster): SideAddresses {
  return {
    name: 'broker',
    admin: judge.bootstrap('plaintext'),
    async open(user: User) {
      const client = await WireClient.connect(judge.bootstrap('sasl'));
      await client.ask('SaslHandshake', 1, { mechanism: 'PLAIN' });
      const answer = await client.ask('SaslAuthenticate', 2, { authBytes: Buffer.from(`\0${user}\0${password}`) });
      if (answer.errorCode !== 0) throw new Error(`${user} at the broker: ${errorName(answer.errorCode)}`);
      return client;
    },
    async bar(user: User, topic: string, barred: boolean) {
      const admin = await WireClient.connect(judge.bootstrap('plaintext'));
      const { creation, filter } = readDenial(user, topic);
      const [result] = barred
        ? (await admin.ask('CreateAcls', 3, { creations: [creation] })).results
        : (await admin.ask('DeleteAcls', 3, { filters: [filter] })).filterResults;
      admin.close();
      const code = result?.errorCode ?? -1;
      if (code !== 0) throw new Error(`an ACL on ${topic}: ${errorName(code)}`);
    },
  };
}

function gatewayAddresses(scene: Scene): SideAddresses {
  const tokens = new Map<User, Promise<string>>();
  return {
    name: 'gateway',
    admin: scene.kafka.bootstrap('plaintext'),
    async open(user: User) {
      const token = tokens.get(user) ?? scene.idp.token(user);
      tokens.set(user, token);
      const client = await WireClient.connect(scene.bootstrap);
      const answer = await client.authenticate(await token);
      if (answer.errorCode !== 0) throw new Error(`${user} at the gateway: ${errorName(answer.errorCode)}`);
      return client;
    },
    async bar(user: User, topic: string, barred: boolean) {
      const file = `bar-${user}-${topic}.yaml`;
      await scene.applyPolicy(file, barred ? readDenialText('orders', user, topic) : '');
    },
  };
}

async function grant(broker: Side): Promise<void> {
  const { results } = await broker.admin('CreateAcls', 3, { creations: aclCreations() });
  const failed = results.find(({ errorCode }) => errorCode !== 0);
  if (failed !== undefined) throw new Error(`the broker took an ACL not: ${failed.errorMessage}`);
}

/** What every reading case finds there: topics with records, groups with offsets, open transactions, of every kind. */
async function furnish(side: Side): Promise<void> {
  const at = new At(side, 0, sharedToken);
  const topics = [
    'read',
    'write',
    'describe',
    'create',
    'make',
    'delete',
    'alter',
    'dconf',
    'aconf',
    'full',
    'barred',
    'blind',
    'none',
  ];
  await side.createTopics(topics.map((kind) => at.topic(kind)));
  for (const kind of topics) await side.produce(at.topic(kind), ['one', 'two', 'three']);
  await warmUp(side);
  for (const kind of ['read', 'describe', 'delete', 'full', 'barred', 'blind', 'none']) {
    await side.commit(
      at.group(kind),
      ['read', 'describe', 'barred', 'blind', 'none'].map((topic) => at.topic(topic)),
    );
  }
  for (const kind of ['write', 'describe', 'blind', 'none']) {
    const id = at.transaction(kind);
    await side.addPartitions(
      id,
      await side.initProducer(id),
      ['read', 'describe', 'blind', 'none'].map((topic) => at.topic(topic)),
    );
  }
}

/** Coordinators load their partitions when first asked: afterwards nobody is told to wait. */
async function warmUp(side: Side): Promise<void> {
  // The first question makes the coordinators' topics.
  for (const keyType of [0, 1]) {
    await side.until('coordinators', async () => {
      const { coordinators } = await side.admin('FindCoordinator', 4, { keyType, coordinatorKeys: ['warm-q0'] });
      return coordinators[0]?.errorCode === 0;
    });
  }
  for (const name of Array.from({ length: 40 }, (_, index) => `warm-q0-${index}`)) {
    await side.until(`coordinators for ${name}`, async () => {
      const { groups } = await side.admin('OffsetFetch', 9, { groups: [{ groupId: name, topics: null }] });
      const { errorCode } = await side.admin('InitProducerId', 4, {
        transactionalId: name,
        transactionTimeoutMs: 7_000_000,
      });
      return groups[0]?.errorCode === 0 && errorCode === 0;
    });
  }
  await side.until('the share coordinator', async () => {
    const answer = await side.admin('ShareGroupHeartbeat', 1, {
      groupId: 'warm-q0-share',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      memberEpoch: 0,
      subscribedTopicNames: ['none-q0'],
    });
    return answer.errorCode === 0;
  });
  await side.until('the topics of the coordinators', async () => {
    const { topics } = await side.admin('Metadata', 12, { topics: null });
    return ['__consumer_offsets', '__transaction_state', '__share_group_state'].every((name) =>
      topics.some((topic) => topic.name === name),
    );
  });
}
