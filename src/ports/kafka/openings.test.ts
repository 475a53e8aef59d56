import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openingWaitMs, openingsMax } from '../../lib/limits.ts';
import { Openings } from './openings.ts';

const wanted = (): boolean => true;

async function full(): Promise<Openings> {
  const openings = new Openings();
  for (let count = 0; count < openingsMax; count += 1) assert.equal(await openings.begin(wanted), true);
  return openings;
}

/** What has begun so far, by name. */
function begin(openings: Openings, names: readonly string[], isWanted: (name: string) => boolean = wanted): string[] {
  const told: string[] = [];
  for (const name of names) {
    void openings.begin(() => isWanted(name)).then((mayOpen) => told.push(`${name} ${mayOpen ? 'opens' : 'does not'}`));
  }
  return told;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('beyond the bound each waits until one is done, in the order they came', async () => {
  const openings = await full();
  const told = begin(openings, ['a', 'b', 'c']);
  await settled();
  assert.deepEqual(told, []);
  openings.done();
  await settled();
  assert.deepEqual(told, ['a opens']);
  openings.done();
  openings.done();
  await settled();
  assert.deepEqual(told, ['a opens', 'b opens', 'c opens']);
  for (let count = 0; count < openingsMax; count += 1) openings.done();
  assert.equal(openings.idle, true);
});

test('whoever has gone meanwhile takes no turn', async () => {
  const openings = await full();
  const told = begin(openings, ['gone', 'here'], (name) => name === 'here');
  openings.done();
  await settled();
  assert.deepEqual(told, ['gone does not', 'here opens']);
});

test('whoever has waited too long is told so, and the turn is the next one’s', async (t: TestContext) => {
  const openings = await full();
  const told = begin(openings, ['late']);
  const now = performance.now();
  t.mock.method(performance, 'now', () => now + openingWaitMs + 1);
  openings.done();
  await settled();
  assert.deepEqual(told, ['late does not']);
  assert.equal(await openings.begin(wanted), true, 'its place is free');
});
