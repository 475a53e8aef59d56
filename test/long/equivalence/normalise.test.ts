import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalise } from './normalise.ts';
import { Side } from './side.ts';

const side = new Side(
  { name: 'broker', admin: '', open: () => assert.fail('not to be asked'), bar: () => assert.fail('not to be asked') },
  new Map(),
);

test('what another case made is left out, and a folder that only looks like it is not', () => {
  const listed = [
    { name: 'made-q1', logDir: '/tmp/sluice-kafka-q5x0Gt/data' },
    { name: 'made-q2', logDir: '/tmp/sluice-kafka-q5x0Gt/data' },
    { name: 'log.dirs', value: '/tmp/sluice-kafka-q5x0Gt/data' },
  ];
  assert.deepEqual(normalise(listed, { api: 'DescribeConfigs', side, token: 'q1' }), [
    { name: 'log.dirs', value: '<folder>/data' },
    { name: 'made-q1', logDir: '<folder>' },
  ]);
});
