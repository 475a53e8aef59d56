import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { operationsNotAsked } from './authorized-operations.ts';
import { consumerGroupDescribe, shareGroupDescribe, streamsGroupDescribe } from './group-descriptions.ts';
import { deleteGroups, describeGroups, listGroups } from './groups.ts';
import { ask, worldOf } from './testing.ts';

const read = 1 << 3;
const describeBit = 1 << 8;

describe('ListGroups', () => {
  for (const version of [0, 5]) {
    it(`v${version}: leaves out hidden groups without a word`, async () => {
      const world = worldOf(['describe group mine']);
      const outcome = await ask(world, listGroups, version, {});
      const delivered = await outcome.deliver({ groups: [{ groupId: 'mine' }, { groupId: 'yours' }] });
      assert.deepEqual([delivered.errorCode, delivered.groups.map(({ groupId }) => groupId)], [0, ['mine']]);
      assert.deepEqual(world.asked, [], 'nobody was denied anything');
    });
  }

  it('shows all to whoever may describe the cluster', async () => {
    const outcome = await ask(worldOf(['describe cluster kafka-cluster']), listGroups, 5, {});
    assert.equal((await outcome.deliver({ groups: [{ groupId: 'yours' }] })).groups.length, 1);
  });
});

describe('DeleteGroups', () => {
  for (const version of [0, 2]) {
    it(`v${version}: DELETE on each group`, async () => {
      const outcome = await ask(worldOf(['delete group mine', 'read group yours']), deleteGroups, version, {
        groupsNames: ['mine', 'yours'],
      });
      assert.deepEqual(outcome.forwarded?.groupsNames, ['mine']);
      const delivered = await outcome.deliver({ results: [{ groupId: 'mine', errorCode: 0 }] });
      assert.deepEqual(
        delivered.results.map(({ groupId, errorCode }) => [groupId, errorCode]),
        [
          ['mine', 0],
          ['yours', 30],
        ],
      );
      const none = await ask(worldOf(), deleteGroups, version, { groupsNames: ['yours'] });
      assert.equal(none.forwarded, null);
      assert.equal(
        (await ask(worldOf(['delete group mine']), deleteGroups, version, { groupsNames: ['mine'] })).unread,
        true,
      );
    });
  }
});

describe('DescribeGroups', () => {
  for (const version of [0, 6]) {
    it(`v${version}: DESCRIBE on each group; nothing is told of a denied one`, async () => {
      const outcome = await ask(worldOf(['describe group mine']), describeGroups, version, {
        groups: ['mine', 'yours'],
      });
      assert.deepEqual(outcome.forwarded?.groups, ['mine']);
      const delivered = await outcome.deliver({
        groups: [{ groupId: 'mine', groupState: 'Stable', members: [{ memberId: 'm' }] }],
      });
      assert.deepEqual(
        delivered.groups.map(({ groupId, errorCode, groupState, members }) => [
          groupId,
          errorCode,
          groupState,
          members.length,
        ]),
        [
          ['mine', 0, 'Stable', 1],
          ['yours', 30, '', 0],
        ],
      );
      assert.equal((await ask(worldOf(), describeGroups, version, { groups: ['yours'] })).forwarded, null);
    });
  }

  it('states what the principal may do, not what the gateway may', async () => {
    const outcome = await ask(worldOf(['describe group mine', 'read group mine']), describeGroups, 6, {
      groups: ['mine'],
      includeAuthorizedOperations: true,
    });
    const delivered = await outcome.deliver({
      groups: [
        { groupId: 'mine', authorizedOperations: 0x7fff },
        { groupId: 'gone', errorCode: 69 },
      ],
    });
    assert.deepEqual(
      delivered.groups.map(({ authorizedOperations }) => authorizedOperations),
      [read | describeBit, operationsNotAsked],
    );
  });

  it('passes unread where all is permitted and no operations were asked for', async () => {
    assert.equal((await ask(worldOf(['describe group mine']), describeGroups, 6, { groups: ['mine'] })).unread, true);
  });
});

const assigned = (...topics: string[]) => ({
  topicPartitions: topics.map((topicName) => ({ topicName, partitions: [0] })),
});

describe('ConsumerGroupDescribe', () => {
  for (const version of [0, 1]) {
    it(`v${version}: a group with a hidden topic in any assignment is told nothing of`, async () => {
      const world = worldOf(['describe group open', 'describe group shut', 'describe group soon', 'describe topic a']);
      const outcome = await ask(world, consumerGroupDescribe, version, {
        groupIds: ['open', 'shut', 'soon', 'denied'],
        includeAuthorizedOperations: true,
      });
      assert.deepEqual(outcome.forwarded?.groupIds, ['open', 'shut', 'soon']);
      const delivered = await outcome.deliver({
        groups: [
          { groupId: 'open', members: [{ memberId: 'm', assignment: assigned('a'), targetAssignment: assigned('a') }] },
          {
            groupId: 'shut',
            members: [{ memberId: 'm', assignment: assigned('a', 'hidden'), targetAssignment: assigned() }],
          },
          {
            groupId: 'soon',
            members: [{ memberId: 'm', assignment: assigned('a'), targetAssignment: assigned('hidden') }],
          },
        ],
      });
      assert.deepEqual(
        delivered.groups.map(({ groupId, errorCode, members, authorizedOperations }) => [
          groupId,
          errorCode,
          members.length,
          authorizedOperations,
        ]),
        [
          ['open', 0, 1, describeBit],
          ['shut', 29, 0, operationsNotAsked],
          ['soon', 29, 0, operationsNotAsked],
          ['denied', 30, 0, operationsNotAsked],
        ],
      );
      assert.equal(JSON.stringify(delivered).includes('hidden'), false);
    });
  }
});

describe('ShareGroupDescribe', () => {
  it('hides a group with a hidden assignment', async () => {
    const outcome = await ask(
      worldOf(['describe group g', 'describe group h', 'describe topic a']),
      shareGroupDescribe,
      1,
      { groupIds: ['g', 'h'] },
    );
    const delivered = await outcome.deliver({
      groups: [
        { groupId: 'g', members: [{ memberId: 'm', assignment: assigned('a') }], authorizedOperations: 0x7fff },
        { groupId: 'h', members: [{ memberId: 'm', assignment: assigned('hidden') }] },
      ],
    });
    assert.deepEqual(
      delivered.groups.map(({ groupId, errorCode, members, authorizedOperations }) => [
        groupId,
        errorCode,
        members.length,
        authorizedOperations,
      ]),
      [
        ['g', 0, 1, operationsNotAsked],
        ['h', 29, 0, operationsNotAsked],
      ],
    );
    assert.equal((await ask(worldOf(), shareGroupDescribe, 1, { groupIds: ['g'] })).answer?.groups[0]?.errorCode, 30);
  });
});

describe('StreamsGroupDescribe', () => {
  const topology = (part: object) => ({ epoch: 1, subtopologies: [{ subtopologyId: '0', ...part }] });

  it('hides a group whose topology has a hidden topic anywhere', async () => {
    const info = [{ name: 'hidden' }];
    const parts = [
      { sourceTopics: ['hidden'] },
      { repartitionSinkTopics: ['hidden'] },
      { stateChangelogTopics: info },
      { repartitionSourceTopics: info },
    ];
    for (const part of parts) {
      const outcome = await ask(worldOf(['describe group g', 'describe topic a']), streamsGroupDescribe, 0, {
        groupIds: ['g'],
      });
      const delivered = await outcome.deliver({
        groups: [{ groupId: 'g', topology: topology(part), members: [{ memberId: 'm', processId: 'p' }] }],
      });
      assert.deepEqual(
        [delivered.groups[0]?.errorCode, delivered.groups[0]?.topology, delivered.groups[0]?.members],
        [29, null, []],
      );
    }
  });

  it('shows one that is all visible, and one without a topology', async () => {
    const outcome = await ask(
      worldOf(['describe group g', 'describe group h', 'describe topic a']),
      streamsGroupDescribe,
      0,
      {
        groupIds: ['g', 'h', 'denied'],
        includeAuthorizedOperations: true,
      },
    );
    const delivered = await outcome.deliver({
      groups: [{ groupId: 'g', topology: topology({ sourceTopics: ['a'] }) }, { groupId: 'h' }],
    });
    assert.deepEqual(
      delivered.groups.map(({ groupId, errorCode, authorizedOperations }) => [
        groupId,
        errorCode,
        authorizedOperations,
      ]),
      [
        ['g', 0, describeBit],
        ['h', 0, describeBit],
        ['denied', 30, operationsNotAsked],
      ],
    );
  });
});
