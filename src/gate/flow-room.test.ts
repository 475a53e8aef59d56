import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowCount, FlowRoom } from './flow-room.ts';
import { type FlowWindow, FlowWindows } from './flow-windows.ts';
import { KnownFlows } from './known-flows.ts';

function tell(flows: KnownFlows, name: string): void {
  flows.add('read', 'topic', name, false, null);
}

function told(flows: KnownFlows, name: string): boolean {
  return flows.has('read', 'topic', name, false, null);
}

test('a holder takes of the shared room only what goes beyond its own, and gives exactly that back', () => {
  const room = new FlowRoom(3);
  const [one, other] = [new FlowCount(2, room), new FlowCount(2, room)];
  for (let count = 0; count < 4; count += 1) assert.equal(one.add(), true);
  assert.equal(room.taken, 2);
  for (let count = 0; count < 3; count += 1) assert.equal(other.add(), true);
  assert.equal(room.taken, 3);
  assert.equal(one.add(), false);
  assert.equal(one.value, 4);
  one.remove(1);
  assert.deepEqual([one.value, room.taken], [3, 2]);
  one.remove(3);
  assert.deepEqual([one.value, room.taken], [0, 1]);
  other.remove(3);
  assert.equal(room.taken, 0);
});

test('flows beyond a session’s own stay known while there is room, and the oldest go when there is none', () => {
  const room = new FlowRoom(2);
  const flows = new KnownFlows(2, room);
  for (const name of ['a', 'b', 'c', 'd']) tell(flows, name);
  assert.ok(['a', 'b', 'c', 'd'].every((name) => told(flows, name)));
  tell(flows, 'e');
  assert.deepEqual(
    ['a', 'b', 'e'].map((name) => told(flows, name)),
    [false, true, true],
  );
  flows.clear();
  assert.equal(room.taken, 0);
});

test('windows beyond a session’s own stay open while there is room; then all are handed out, and their room is free', () => {
  const room = new FlowRoom(1);
  const windows = new FlowWindows(2, 4, room);
  const flow = (partition: number): void => {
    windows.window('read', 't', partition)?.addSafe(0, 9, 10, 100, 1);
    windows.flowed(1);
  };
  const written: number[] = [];
  const write = ({ partition }: FlowWindow): void => void written.push(partition);
  for (let partition = 0; partition < 3; partition += 1) flow(partition);
  assert.equal(room.taken, 1);
  assert.equal(windows.window('read', 't', 3), null);
  windows.flush(write);
  assert.deepEqual([written, room.taken], [[0, 1, 2], 0]);
  flow(3);
  windows.flush(write);
  assert.deepEqual(written, [0, 1, 2, 3]);
  for (const partition of [4, 5]) flow(partition);
  assert.equal(room.taken, 1, 'the window of partition 3 is still open');
  windows.close(write);
  assert.deepEqual([written.slice(4), room.taken], [[4, 5], 0]);
});
