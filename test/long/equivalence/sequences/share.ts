/** A share group of two members (KIP-932): sessions, epochs, acknowledgements, and a topic that is denied half-way. */
import type { ResponseMessages } from '../../../../src/ports/kafka/protocol/protocol.ts';
import type { Sequence, Steps } from './sequence.ts';

const members = { one: 'AAAAAAAAAAAAAAAAAAAABQ', two: 'AAAAAAAAAAAAAAAAAAAABg' } as const;
type Member = keyof typeof members;

interface Asked {
  readonly add?: readonly string[];
  readonly forget?: readonly string[];
  readonly acknowledge?: readonly [first: bigint, last: bigint, type: number];
}

/** A member at work: it counts its session's epochs. */
class Sharing {
  epoch = 0;
  readonly #steps: Steps;
  readonly #member: Member;

  constructor(steps: Steps, member: Member) {
    this.#steps = steps;
    this.#member = member;
  }

  get client(): string {
    return `alice/${this.#member}`;
  }

  async joins(label: string, memberEpoch = 0): Promise<void> {
    const { at } = this.#steps;
    const groupId = at.group('read');
    const subscribedTopicNames = memberEpoch === 0 ? [at.topic('read')] : null;
    await this.#steps.ask(label, this.client, 'ShareGroupHeartbeat', 1, {
      groupId,
      memberId: members[this.#member],
      memberEpoch,
      subscribedTopicNames,
    });
  }

  /** Fetches until something was acquired, and notes that answer. */
  async acquires(label: string, asked: Asked): Promise<void> {
    let first = true;
    await this.#steps.until(
      label,
      'ShareFetch',
      async () => {
        const answer = await this.#fetch(first ? asked : {});
        first = false;
        return answer;
      },
      ({ errorCode, responses }) =>
        errorCode !== 0 ||
        responses.some(({ partitions }) => partitions.some(({ acquiredRecords }) => acquiredRecords.length > 0)),
    );
  }

  /** One fetch, whatever it brings. */
  async fetches(label: string, asked: Asked, epoch = this.epoch): Promise<void> {
    this.epoch = epoch;
    await this.#steps.until(
      label,
      'ShareFetch',
      () => this.#fetch(asked),
      () => true,
    );
  }

  async acknowledges(
    label: string,
    first: bigint,
    last: bigint,
    type: number,
    kind = 'read',
    epoch = this.epoch,
  ): Promise<void> {
    const { at } = this.#steps;
    const acknowledgementBatches = [{ firstOffset: first, lastOffset: last, acknowledgeTypes: [type] }];
    await this.#steps.ask(label, this.client, 'ShareAcknowledge', 1, {
      groupId: at.group('read'),
      memberId: members[this.#member],
      shareSessionEpoch: epoch,
      topics: [{ topicId: at.id(kind), partitions: [{ partitionIndex: 0, acknowledgementBatches }] }],
    });
    if (epoch >= 0) this.epoch = epoch + 1;
  }

  async #fetch({ add = [], forget = [], acknowledge }: Asked): Promise<ResponseMessages['ShareFetch']> {
    const { at } = this.#steps;
    const acknowledgementBatches =
      acknowledge === undefined
        ? []
        : [{ firstOffset: acknowledge[0], lastOffset: acknowledge[1], acknowledgeTypes: [acknowledge[2]] }];
    const answer = await this.#steps.quietly(this.client, 'ShareFetch', 1, {
      groupId: at.group('read'),
      memberId: members[this.#member],
      shareSessionEpoch: this.epoch,
      maxWaitMs: 300,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxRecords: 10,
      batchSize: 10,
      topics: add.map((kind) => ({
        topicId: at.id(kind),
        partitions: [{ partitionIndex: 0, acknowledgementBatches }],
      })),
      forgottenTopicsData: forget.map((kind) => ({ topicId: at.id(kind), partitions: [0] })),
    });
    if (this.epoch >= 0 && answer.errorCode === 0) this.epoch += 1;
    return answer;
  }
}

export const shareSequences: readonly Sequence[] = [
  {
    name: 'share group',
    async run(steps) {
      const { at } = steps;
      await at.side.createTopics(
        ['read', 'none'].map((kind) => at.topic(kind)),
        1,
      );
      await fromEarliest(steps);
      await at.side.produce(at.topic('read'), ['a', 'b', 'c']);
      await at.side.produce(at.topic('none'), ['x']);
      const one = new Sharing(steps, 'one');
      const two = new Sharing(steps, 'two');
      await one.joins('one joins');
      await one.acquires('one acquires', { add: ['read'] });
      await two.joins('two joins');
      await two.fetches('two finds nothing', { add: ['read'] });
      await one.acknowledges('one accepts the first', 0n, 0n, 1);
      await one.acknowledges('one accepts what it has no more', 0n, 0n, 1);
      await one.acknowledges('one acknowledges in a denied topic', 0n, 0n, 1, 'none');
      await one.acknowledges('one releases the others', 1n, 2n, 2);
      await two.acquires('two acquires them', {});
      await two.fetches('two asks for a denied topic besides, and rejects', {
        add: ['read', 'none'],
        acknowledge: [1n, 1n, 3],
      });
      await two.fetches('the denied one is refused each time', {});
      await two.fetches('two forgets it', { forget: ['none'] });
      await two.fetches('two acknowledges too much', { add: ['read'], acknowledge: [0n, 9n, 1] });
      await two.fetches('two is at another epoch', {}, 99);
      await one.acknowledges('one is at another epoch', 0n, 0n, 1, 'read', 77);
      await two.fetches('two ends its session', {}, -1);
      await two.fetches('two goes on with what has ended', {}, 1);
      steps.leave(two.client);
      await two.fetches('two goes on, on another connection', {}, 1);
      await two.joins('two leaves', -1);
      await one.joins('one leaves', -1);
    },
  },
];

async function fromEarliest({ at }: Steps): Promise<void> {
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  const group = { resourceType: 32, resourceName: at.group('read') };
  await at.side.admin('IncrementalAlterConfigs', 1, { resources: [{ ...group, configs }] });
  await at.side.until('a share group that begins at the start', async () => {
    const resources = [{ ...group, configurationKeys: ['share.auto.offset.reset'] }];
    const { results } = await at.side.admin('DescribeConfigs', 4, { resources });
    return results[0]?.configs[0]?.value === 'earliest';
  });
}
