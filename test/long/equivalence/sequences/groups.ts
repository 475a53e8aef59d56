/** Consumer groups from their first member to their deletion: the classic protocol, and KIP-848's. */
import { errorCodes } from '../../../../src/ports/kafka/protocol/protocol.ts';
import type { ResponseMessages } from '../../../../src/ports/kafka/protocol/protocol.ts';
import { subscription } from '../side.ts';
import type { Sequence, Steps } from './sequence.ts';

type Member = 'one' | 'two';
const partitionsOf = (committedOffset: bigint) => [{ partitionIndex: 0, committedOffset, committedMetadata: 'm' }];

/** A member of a classic group. */
class Classic {
  memberId = '';
  generationId = -1;
  readonly #steps: Steps;
  readonly client: string;

  constructor(steps: Steps, member: Member) {
    this.#steps = steps;
    this.client = `alice/${member}`;
  }

  joins(): Promise<ResponseMessages['JoinGroup']> {
    return this.#steps.quietly(this.client, 'JoinGroup', 9, {
      groupId: this.#steps.at.group('read'),
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      memberId: this.memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription }],
    });
  }

  /** Takes in what it was told, and notes it. */
  joined(label: string, answer: ResponseMessages['JoinGroup']): void {
    this.memberId = answer.memberId;
    this.generationId = answer.generationId;
    this.#steps.taken.push({ label, api: 'JoinGroup', answer });
  }

  async syncs(label: string, members: readonly Classic[] = []): Promise<void> {
    await this.#steps.ask(label, this.client, 'SyncGroup', 5, {
      groupId: this.#steps.at.group('read'),
      generationId: this.generationId,
      memberId: this.memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: members.map(({ memberId, client }) => ({ memberId, assignment: Buffer.from(`for ${client}`) })),
    });
  }

  async beats(label: string, code: number): Promise<void> {
    const { memberId, generationId } = this;
    const groupId = this.#steps.at.group('read');
    await this.#steps.until(
      label,
      'Heartbeat',
      () => this.#steps.quietly(this.client, 'Heartbeat', 4, { groupId, memberId, generationId }),
      ({ errorCode }) => errorCode === code,
    );
  }

  async commits(label: string, kinds: readonly string[], generation = this.generationId): Promise<void> {
    const { at } = this.#steps;
    await this.#steps.ask(label, this.client, 'OffsetCommit', 8, {
      groupId: at.group('read'),
      generationIdOrMemberEpoch: generation,
      memberId: this.memberId,
      topics: kinds.map((kind) => ({ name: at.topic(kind), partitions: partitionsOf(1n) })),
    });
  }

  async leaves(label: string): Promise<void> {
    const members = [{ memberId: this.memberId, groupInstanceId: null, reason: 'done' }];
    await this.#steps.ask(label, this.client, 'LeaveGroup', 5, { groupId: this.#steps.at.group('read'), members });
  }
}

async function looked(steps: Steps, label: string): Promise<void> {
  const { at } = steps;
  await steps.ask(`${label}: described`, 'alice', 'DescribeGroups', 5, {
    groups: [at.group('read'), at.group('none')],
  });
  const groups = [{ groupId: at.group('read'), memberId: null, memberEpoch: -1, topics: null }];
  await steps.ask(`${label}: offsets`, 'alice', 'OffsetFetch', 9, { groups });
}

async function deleted(steps: Steps): Promise<void> {
  const { at } = steps;
  const groupId = at.group('read');
  await steps.ask('delete offsets, denied', 'alice', 'OffsetDelete', 0, {
    groupId,
    topics: [{ name: at.topic('read'), partitions: [{ partitionIndex: 0 }] }],
  });
  await steps.ask('delete the group, denied', 'alice', 'DeleteGroups', 2, { groupsNames: [groupId] });
  await steps.ask('delete the group', 'oscar', 'DeleteGroups', 2, { groupsNames: [groupId] });
  await steps.ask('it is gone', 'alice', 'DescribeGroups', 5, { groups: [groupId] });
}

const ids = { one: 'AAAAAAAAAAAAAAAAAAAABQ', two: 'AAAAAAAAAAAAAAAAAAAABg' } as const;

/** A member of a group whose coordinator assigns. */
class Newer {
  epoch = 0;
  #owned: ResponseMessages['ConsumerGroupHeartbeat']['assignment'] = null;
  readonly #steps: Steps;
  readonly #member: Member;

  constructor(steps: Steps, member: Member) {
    this.#steps = steps;
    this.#member = member;
  }

  async beat(
    parts: { readonly memberEpoch?: number; readonly kinds?: readonly string[] } = {},
  ): Promise<ResponseMessages['ConsumerGroupHeartbeat']> {
    const { at } = this.#steps;
    const { memberEpoch = this.epoch, kinds } = parts;
    const joins = memberEpoch === 0;
    const answer = await this.#steps.quietly(`alice/${this.#member}`, 'ConsumerGroupHeartbeat', 1, {
      groupId: at.group('read'),
      memberId: ids[this.#member],
      memberEpoch,
      rebalanceTimeoutMs: joins ? 30_000 : -1,
      subscribedTopicNames: kinds === undefined ? null : kinds.map((kind) => at.topic(kind)),
      topicPartitions: joins ? [] : (this.#owned?.topicPartitions ?? []),
    });
    if (answer.errorCode === 0) this.epoch = answer.memberEpoch;
    if (answer.errorCode === 0 && answer.assignment !== null) this.#owned = answer.assignment;
    return answer;
  }

  async notes(label: string, answer: Promise<ResponseMessages['ConsumerGroupHeartbeat']>): Promise<void> {
    this.#steps.taken.push({ label, api: 'ConsumerGroupHeartbeat', answer: await answer });
  }

  get partitions(): number {
    return (this.#owned?.topicPartitions ?? []).reduce((sum, { partitions }) => sum + partitions.length, 0);
  }
}

/** Both beat until each has as many partitions as it should, at one epoch. */
async function balanced(one: Newer, two: Newer, wanted: readonly [number, number]): Promise<void> {
  const giveUpAt = performance.now() + 15_000;
  while (one.partitions !== wanted[0] || two.partitions !== wanted[1] || one.epoch !== two.epoch) {
    if (performance.now() > giveUpAt)
      throw new Error(`partitions ${one.partitions} and ${two.partitions}, epochs ${one.epoch} and ${two.epoch}`);
    await one.beat();
    await two.beat();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export const groupSequences: readonly Sequence[] = [
  {
    name: 'classic group',
    effects: ['groups', 'offsets'],
    async run(steps) {
      const { at } = steps;
      await at.side.createTopics(['read', 'none'].map((kind) => at.topic(kind)));
      const one = new Classic(steps, 'one');
      const two = new Classic(steps, 'two');
      one.joined('one is given an id', await one.joins());
      one.joined('one joins', await one.joins());
      await one.syncs('one syncs', [one]);
      await one.beats('one is in', 0);
      await one.commits('one commits, partly denied', ['read', 'none']);
      two.joined('two is given an id', await two.joins());
      const joining = two.joins();
      await one.beats('one hears of the other', errorCodes.REBALANCE_IN_PROGRESS);
      one.joined('one joins again', await one.joins());
      two.joined('two joins', await joining);
      const others = two.syncs('two syncs');
      await one.syncs('one assigns', [one, two]);
      await others;
      await looked(steps, 'two members');
      await one.commits('one commits in the generation before', ['read'], 1);
      await two.commits('two commits', ['read']);
      await two.leaves('two leaves');
      await two.beats('two is out', errorCodes.UNKNOWN_MEMBER_ID);
      await one.beats('one hears of it', errorCodes.REBALANCE_IN_PROGRESS);
      one.joined('one is alone again', await one.joins());
      await one.syncs('one syncs alone', [one]);
      await one.leaves('one leaves');
      await looked(steps, 'nobody');
      await deleted(steps);
    },
  },
  {
    name: 'consumer group of KIP-848',
    effects: ['groups', 'offsets'],
    async run(steps) {
      const { at } = steps;
      await at.side.createTopics(['read', 'none'].map((kind) => at.topic(kind)));
      const one = new Newer(steps, 'one');
      const two = new Newer(steps, 'two');
      const groupId = at.group('read');
      await one.notes('one wants a denied topic', one.beat({ memberEpoch: 0, kinds: ['none'] }));
      await one.notes('one joins', one.beat({ memberEpoch: 0, kinds: ['read'] }));
      await two.notes('two joins', two.beat({ memberEpoch: 0, kinds: ['read'] }));
      await balanced(one, two, [1, 1]);
      await steps.ask('two members: described', 'alice', 'ConsumerGroupDescribe', 1, {
        groupIds: [groupId, at.group('none')],
      });
      const topics = ['read', 'none'].map((kind) => ({ name: at.topic(kind), partitions: partitionsOf(5n) }));
      const member = { groupId, memberId: ids.one };
      await steps.ask('one commits, partly denied', 'alice/one', 'OffsetCommit', 9, {
        ...member,
        generationIdOrMemberEpoch: one.epoch,
        topics,
      });
      await steps.ask('one commits at another epoch', 'alice/one', 'OffsetCommit', 9, {
        ...member,
        generationIdOrMemberEpoch: 99,
        topics,
      });
      const asked = { ...member, memberEpoch: one.epoch, topics: null };
      await steps.ask('one asks for its offsets', 'alice/one', 'OffsetFetch', 9, { groups: [asked] });
      await steps.ask('and at another epoch', 'alice/one', 'OffsetFetch', 9, {
        groups: [{ ...asked, memberEpoch: 99 }],
      });
      await one.notes('one wants a denied topic besides', one.beat({ kinds: ['read', 'none'] }));
      await one.notes('one is at another epoch', one.beat({ memberEpoch: 99 }));
      await two.notes('two leaves', two.beat({ memberEpoch: -1 }));
      await steps.until(
        'one has it all',
        'ConsumerGroupHeartbeat',
        () => one.beat(),
        () => one.partitions === 2,
      );
      await one.notes('one leaves', one.beat({ memberEpoch: -1 }));
      await steps.ask('nobody: described', 'alice', 'ConsumerGroupDescribe', 1, { groupIds: [groupId] });
      await deleted(steps);
    },
  },
];
