import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes } from '../protocol/protocol.ts';
import { offsetCommit, offsetDelete } from './offset-commit.ts';
import { ask, worldOf } from './testing.ts';

const idOfA = 'AAAAAAAAAAAAAAAAAAAAAQ';
const idOfB = 'AAAAAAAAAAAAAAAAAAAAAg';
const idOfNone = 'AAAAAAAAAAAAAAAAAAAAAw';
const at = (partitionIndex: number) => ({ partitionIndex, committedOffset: 5n });

describe('OffsetCommit', () => {
  for (const version of [2, 9]) {
    it(`v${version}: without READ on the group every partition gets 30, and nothing is forwarded`, async () => {
      const world = worldOf(['read topic a', 'describe group g']);
      const outcome = await ask(world, offsetCommit, version, {
        groupId: 'g',
        topics: [{ name: 'a', partitions: [at(0), at(1)] }],
      });
      assert.equal(outcome.forwarded, null);
      assert.deepEqual(
        outcome.answer?.topics.map(({ name, partitions }) => [name, partitions.map(({ errorCode }) => errorCode)]),
        [['a', [errorCodes.GROUP_AUTHORIZATION_FAILED, errorCodes.GROUP_AUTHORIZATION_FAILED]]],
      );
      assert.deepEqual(world.asked, ['read group g']);
    });

    it(`v${version}: denied partitions get 29 while the rest goes on`, async () => {
      const world = worldOf(['read group g', 'read topic a 1', 'read topic c']);
      const outcome = await ask(world, offsetCommit, version, {
        groupId: 'g',
        topics: [
          { name: 'a', partitions: [at(0), at(1)] },
          { name: 'b', partitions: [at(0)] },
          { name: 'c', partitions: [at(7)] },
        ],
      });
      assert.deepEqual(
        outcome.forwarded?.topics.map(({ name, partitions }) => [
          name,
          partitions.map(({ partitionIndex }) => partitionIndex),
        ]),
        [
          ['a', [1]],
          ['c', [7]],
        ],
      );
      const delivered = await outcome.deliver({
        topics: [
          { name: 'a', partitions: [{ partitionIndex: 1, errorCode: 0 }] },
          { name: 'c', partitions: [{ partitionIndex: 7, errorCode: 0 }] },
        ],
      });
      assert.deepEqual(
        delivered.topics.map(({ name, partitions }) => [name, partitions.map((p) => [p.partitionIndex, p.errorCode])]),
        [
          ['a', [[1, 0]]],
          ['c', [[7, 0]]],
          ['a', [[0, 29]]],
          ['b', [[0, 29]]],
        ],
      );
    });
  }

  it('passes unread where everything is permitted', async () => {
    const outcome = await ask(worldOf(['read group g', 'read topic a']), offsetCommit, 9, {
      groupId: 'g',
      topics: [{ name: 'a', partitions: [at(0)] }],
    });
    assert.equal(outcome.unread, true);
  });

  it('v10: resolves ids; a denied one keeps its id with 29, an unknown one gets 100, and neither is forwarded', async () => {
    const world = worldOf(['read group g', 'read topic a'], { [idOfA]: 'a', [idOfB]: 'b' });
    const outcome = await ask(world, offsetCommit, 10, {
      groupId: 'g',
      topics: [idOfA, idOfB, idOfNone].map((topicId) => ({ topicId, partitions: [at(0)] })),
    });
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ topicId }) => topicId),
      [idOfA],
    );
    const delivered = await outcome.deliver({
      topics: [{ topicId: idOfA, partitions: [{ partitionIndex: 0, errorCode: 0 }] }],
    });
    assert.deepEqual(
      delivered.topics.map(({ topicId, partitions }) => [topicId, partitions[0]?.errorCode]),
      [
        [idOfA, 0],
        [idOfB, 29],
        [idOfNone, 100],
      ],
    );
    assert.deepEqual(world.asked, ['read group g', 'read topic a 0', 'read topic b 0']);
  });

  it('v10: the id that stands for none is not forwarded', async () => {
    const outcome = await ask(worldOf(['read group g', 'read topic ']), offsetCommit, 10, {
      groupId: 'g',
      topics: [{ partitions: [at(0)] }],
    });
    assert.equal(outcome.forwarded, null);
    assert.equal(outcome.answer?.topics[0]?.partitions[0]?.errorCode, 100);
  });
});

describe('OffsetDelete', () => {
  const topics = [
    { name: 'a', partitions: [{ partitionIndex: 0 }] },
    { name: 'b', partitions: [{ partitionIndex: 0 }] },
  ];

  it('needs DELETE on the group, and READ alone is not enough', async () => {
    const outcome = await ask(worldOf(['read group g', 'read topic a']), offsetDelete, 0, { groupId: 'g', topics });
    assert.equal(outcome.forwarded, null);
    assert.equal(outcome.answer?.errorCode, 30);
    assert.deepEqual(outcome.answer?.topics, []);
  });

  it('refuses hidden topics with 29 beside the rest', async () => {
    const outcome = await ask(worldOf(['delete group g', 'read topic a']), offsetDelete, 0, { groupId: 'g', topics });
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ name }) => name),
      ['a'],
    );
    const delivered = await outcome.deliver({
      topics: [{ name: 'a', partitions: [{ partitionIndex: 0, errorCode: 0 }] }],
    });
    assert.deepEqual(
      delivered.topics.map(({ name, partitions }) => [name, partitions[0]?.errorCode]),
      [
        ['a', 0],
        ['b', 29],
      ],
    );
    const failed = await outcome.deliver({ errorCode: 68 });
    assert.deepEqual([failed.errorCode, failed.topics], [68, []]);
  });
});
