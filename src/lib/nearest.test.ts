import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nearest } from './nearest.ts';

it('names the word that was probably meant, and none where there is none', () => {
  const known = ['topics', 'consumerGroups', 'actions', 'when'];
  assert.equal(nearest('topcs', known), 'topics');
  assert.equal(nearest('tpoics', known), 'topics', 'a swap is one slip');
  assert.equal(nearest('consumergroups', known), 'consumerGroups');
  assert.equal(nearest('consumer_groups', known), 'consumerGroups');
  assert.equal(nearest('colour', known), null);
  assert.equal(nearest('', known), null);
  assert.equal(nearest('x'.repeat(100_000), known), null);
  assert.equal(nearest('topics', []), null);
});
