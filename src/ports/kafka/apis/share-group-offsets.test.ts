import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DescribeShareGroupOffsetsResponse } from '../protocol/protocol.ts';
import { alterShareGroupOffsets, deleteShareGroupOffsets, describeShareGroupOffsets } from './share-group-offsets.ts';
import { ask, worldOf } from './testing.ts';

function flat({ groups }: DescribeShareGroupOffsetsResponse): unknown[] {
  return groups.map(({ groupId, errorCode, topics }) => [
    groupId,
    errorCode,
    topics.flatMap(({ topicName, partitions }) =>
      partitions.map((p) => `${topicName}:${p.partitionIndex}=${p.errorCode}`),
    ),
  ]);
}

describe('DescribeShareGroupOffsets', () => {
  for (const version of [0, 1]) {
    it(`v${version}: each group and each partition by itself`, async () => {
      const world = worldOf(['describe group part', 'describe group all', 'describe topic a 0']);
      const outcome = await ask(world, describeShareGroupOffsets, version, {
        groups: [
          {
            groupId: 'part',
            topics: [
              { topicName: 'a', partitions: [0, 1] },
              { topicName: 'b', partitions: [0] },
            ],
          },
          { groupId: 'all', topics: null },
          { groupId: 'denied', topics: null },
        ],
      });
      assert.deepEqual(
        outcome.forwarded?.groups.map(({ groupId, topics }) => [
          groupId,
          topics?.map(({ topicName, partitions }) => [topicName, partitions]) ?? null,
        ]),
        [
          ['part', [['a', [0]]]],
          ['all', null],
        ],
      );
      const delivered = await outcome.deliver({
        groups: [
          { groupId: 'part', topics: [{ topicName: 'a', partitions: [{ partitionIndex: 0 }] }] },
          {
            groupId: 'all',
            topics: [
              { topicName: 'a', partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] },
              { topicName: 'b', partitions: [{ partitionIndex: 0 }] },
            ],
          },
        ],
      });
      assert.deepEqual(flat(delivered), [
        ['part', 0, ['a:0=0', 'a:1=29', 'b:0=29']],
        ['all', 0, ['a:0=0']],
        ['denied', 30, []],
      ]);
    });

    it(`v${version}: named topics that are all denied never become all topics`, async () => {
      const outcome = await ask(worldOf(['describe group g']), describeShareGroupOffsets, version, {
        groups: [{ groupId: 'g', topics: [{ topicName: 'a', partitions: [0] }] }],
      });
      assert.equal(outcome.forwarded, null);
      assert.deepEqual(flat(outcome.answer ?? { throttleTimeMs: 0, groups: [] }), [['g', 0, ['a:0=29']]]);
    });
  }
});

describe('AlterShareGroupOffsets', () => {
  const request = {
    groupId: 'g',
    topics: [{ topicName: 'a', partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] }],
  };

  it('needs READ on the group, and on each partition', async () => {
    assert.equal(
      (await ask(worldOf(['read topic a', 'describe group g']), alterShareGroupOffsets, 0, request)).answer?.errorCode,
      30,
    );
    const outcome = await ask(worldOf(['read group g', 'read topic a 1']), alterShareGroupOffsets, 0, request);
    assert.deepEqual(
      outcome.forwarded?.topics[0]?.partitions.map(({ partitionIndex }) => partitionIndex),
      [1],
    );
    const delivered = await outcome.deliver({ responses: [{ topicName: 'a', partitions: [{ partitionIndex: 1 }] }] });
    assert.deepEqual(
      delivered.responses.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
      ),
      [
        [1, 0],
        [0, 29],
      ],
    );
    assert.deepEqual((await outcome.deliver({ errorCode: 68 })).responses, []);
  });
});

describe('DeleteShareGroupOffsets', () => {
  const request = { groupId: 'g', topics: [{ topicName: 'a' }, { topicName: 'b' }] };

  it('needs DELETE on the group, and READ on each topic as a whole', async () => {
    assert.equal(
      (await ask(worldOf(['read topic a', 'read group g']), deleteShareGroupOffsets, 0, request)).answer?.errorCode,
      30,
    );
    const outcome = await ask(
      worldOf(['delete group g', 'read topic a', 'read topic b 0']),
      deleteShareGroupOffsets,
      0,
      request,
    );
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ topicName }) => topicName),
      ['a'],
    );
    const delivered = await outcome.deliver({ responses: [{ topicName: 'a' }] });
    assert.deepEqual(
      delivered.responses.map(({ topicName, errorCode }) => [topicName, errorCode]),
      [
        ['a', 0],
        ['b', 29],
      ],
    );
  });
});
