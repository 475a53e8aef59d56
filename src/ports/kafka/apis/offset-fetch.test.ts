import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OffsetFetchResponse } from '../protocol/protocol.ts';
import { offsetFetch } from './offset-fetch.ts';
import { ask, worldOf } from './testing.ts';

const idOfA = 'AAAAAAAAAAAAAAAAAAAAAQ';
const idOfB = 'AAAAAAAAAAAAAAAAAAAAAg';
const idOfNone = 'AAAAAAAAAAAAAAAAAAAAAw';
const committed = (partitionIndex: number) => ({ partitionIndex, committedOffset: 5n, metadata: '', errorCode: 0 });

/** Topics as `a:0=0`, name or id, partition and error. */
function flat(topics: OffsetFetchResponse['topics'] | OffsetFetchResponse['groups'][number]['topics']): string[] {
  return topics.flatMap((topic) =>
    topic.partitions.map(
      ({ partitionIndex, errorCode }) =>
        `${topic.name || ('topicId' in topic ? topic.topicId : '')}:${partitionIndex}=${errorCode}`,
    ),
  );
}

describe('OffsetFetch of one group', () => {
  it('v1: a denied group is said on every partition', async () => {
    const outcome = await ask(worldOf(['describe topic a']), offsetFetch, 1, {
      groupId: 'g',
      topics: [{ name: 'a', partitionIndexes: [0, 1] }],
    });
    assert.equal(outcome.forwarded, null);
    assert.deepEqual(flat(outcome.answer?.topics ?? []), ['a:0=30', 'a:1=30']);
  });

  for (const version of [2, 7]) {
    it(`v${version}: a denied group is said once`, async () => {
      const outcome = await ask(worldOf(['describe topic a']), offsetFetch, version, {
        groupId: 'g',
        topics: [{ name: 'a', partitionIndexes: [0] }],
      });
      assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode, outcome.answer?.topics], [null, 30, []]);
    });

    it(`v${version}: hidden partitions get 29, never an emptied list`, async () => {
      const world = worldOf(['describe group g', 'describe topic a 1']);
      const outcome = await ask(world, offsetFetch, version, {
        groupId: 'g',
        topics: [
          { name: 'a', partitionIndexes: [0, 1] },
          { name: 'b', partitionIndexes: [0] },
        ],
      });
      assert.deepEqual(
        outcome.forwarded?.topics?.map(({ name, partitionIndexes }) => [name, partitionIndexes]),
        [['a', [1]]],
      );
      const delivered = await outcome.deliver({ topics: [{ name: 'a', partitions: [committed(1)] }] });
      assert.deepEqual(flat(delivered.topics), ['a:1=0', 'a:0=29', 'b:0=29']);
      const none = await ask(world, offsetFetch, version, {
        groupId: 'g',
        topics: [{ name: 'b', partitionIndexes: [0] }],
      });
      assert.equal(none.forwarded, null);
      assert.deepEqual(flat(none.answer?.topics ?? []), ['b:0=29']);
    });

    it(`v${version}: the request for all topics is filtered in silence`, async () => {
      const outcome = await ask(
        worldOf(['describe group g', 'describe topic a', 'describe topic c 1']),
        offsetFetch,
        version,
        { groupId: 'g', topics: null },
      );
      assert.equal(outcome.unread, true);
      const delivered = await outcome.deliver({
        topics: [
          { name: 'a', partitions: [committed(0)] },
          { name: 'b', partitions: [committed(0)] },
          { name: 'c', partitions: [committed(0), committed(1)] },
        ],
      });
      assert.deepEqual(flat(delivered.topics), ['a:0=0', 'c:1=0']);
    });
  }
});

describe('OffsetFetch of several groups', () => {
  it('v8: each group by itself: denied, partly denied, all topics, allowed', async () => {
    const world = worldOf(['describe group part', 'describe group all', 'describe group whole', 'describe topic a']);
    const both = [
      { name: 'a', partitionIndexes: [0] },
      { name: 'b', partitionIndexes: [0] },
    ];
    const outcome = await ask(world, offsetFetch, 8, {
      groups: [
        { groupId: 'denied', topics: both },
        { groupId: 'part', topics: both },
        { groupId: 'all', topics: null },
        { groupId: 'whole', topics: [{ name: 'a', partitionIndexes: [0] }] },
      ],
    });
    assert.deepEqual(
      outcome.forwarded?.groups.map(({ groupId, topics }) => [groupId, topics?.map(({ name }) => name) ?? null]),
      [
        ['part', ['a']],
        ['all', null],
        ['whole', ['a']],
      ],
    );
    const a = { name: 'a', partitions: [committed(0)] };
    const delivered = await outcome.deliver({
      groups: [
        { groupId: 'part', topics: [a] },
        { groupId: 'all', topics: [a, { name: 'b', partitions: [committed(0)] }] },
        { groupId: 'whole', topics: [a] },
      ],
    });
    assert.deepEqual(
      delivered.groups.map(({ groupId, errorCode, topics }) => [groupId, errorCode, flat(topics)]),
      [
        ['part', 0, ['a:0=0', 'b:0=29']],
        ['all', 0, ['a:0=0']],
        ['whole', 0, ['a:0=0']],
        ['denied', 30, []],
      ],
    );
    const failed = await outcome.deliver({ groups: [{ groupId: 'part', errorCode: 25 }] });
    assert.deepEqual(
      failed.groups.map(({ groupId, errorCode, topics }) => [groupId, errorCode, topics.length]),
      [
        ['part', 25, 0],
        ['denied', 30, 0],
      ],
    );
  });

  it('v10: by id, named and all', async () => {
    const world = worldOf(['describe group g', 'describe group all', 'describe topic a'], {
      [idOfA]: 'a',
      [idOfB]: 'b',
    });
    const outcome = await ask(world, offsetFetch, 10, {
      groups: [
        { groupId: 'g', topics: [idOfA, idOfB, idOfNone].map((topicId) => ({ topicId, partitionIndexes: [0] })) },
        { groupId: 'all', topics: null },
      ],
    });
    assert.deepEqual(
      outcome.forwarded?.groups[0]?.topics?.map(({ topicId }) => topicId),
      [idOfA],
    );
    const topics = [idOfA, idOfB, idOfNone].map((topicId) => ({ topicId, partitions: [committed(0)] }));
    const delivered = await outcome.deliver({
      groups: [
        { groupId: 'g', topics: topics.slice(0, 1) },
        { groupId: 'all', topics },
      ],
    });
    assert.deepEqual(
      delivered.groups.map((group) => flat(group.topics)),
      [[`${idOfA}:0=0`, `${idOfB}:0=29`, `${idOfNone}:0=100`], [`${idOfA}:0=0`]],
    );
  });

  it('passes unread where all that is named is permitted', async () => {
    const outcome = await ask(worldOf(['describe group g', 'describe topic a']), offsetFetch, 9, {
      groups: [{ groupId: 'g', topics: [{ name: 'a', partitionIndexes: [0] }] }],
    });
    assert.equal(outcome.unread, true);
  });
});
