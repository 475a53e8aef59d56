import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GateSession, StandingFlow } from '../../gate/gate.ts';
import { laneTopicsMax } from '../../lib/limits.ts';
import type { ConnectionParts } from './parts.ts';
import { StandingFlows } from './standing-flows.ts';

/** A session that permits everything but `secret`, and says how often it was asked for a flow. */
class PermittingSession {
  asked = 0;
  stands: object = {};

  durable(): null {
    return null;
  }

  standing(): object {
    return this.stands;
  }

  standingFlow(action: 'read' | 'write', topic: string, partition: number): StandingFlow | null {
    this.asked += 1;
    if (topic === 'secret') return null;
    return { action, topic, partition, standing: this.stands, account: () => {} };
  }
}

const parts = {
  clock: { nowMs: () => 0 },
  cluster: { topicName: (id: string) => (id.startsWith('id-') ? id.slice(3) : undefined) },
} as unknown as ConnectionParts;

function begun(action: 'read' | 'write', session: PermittingSession, byId = false): StandingFlows {
  const flows = new StandingFlows(action, parts);
  flows.name(byId);
  assert.equal(flows.begin(session as unknown as GateSession), true);
  return flows;
}

test('what one connection has found the others of its session find without asking', () => {
  const session = new PermittingSession();
  const first = begun('read', session);
  const orders = first.find('orders', 0);
  const others = [1, 2, 1_000].map((partition) => first.find('orders', partition));
  assert.equal(session.asked, 4);
  const second = begun('read', session);
  assert.equal(second.find('orders', 0), orders);
  assert.deepEqual(
    [1, 2, 1_000].map((partition) => second.find('orders', partition)),
    others,
  );
  assert.deepEqual(
    others.map((flow) => flow?.partition),
    [1, 2, 1_000],
  );
  assert.equal(session.asked, 4);
});

test('a connection that began before anything was kept finds what is kept since', () => {
  const session = new PermittingSession();
  const early = begun('read', session);
  const late = begun('read', session);
  const orders = late.find('orders', 0);
  late.find('payments', 0);
  early.find('clicks', 0);
  assert.equal(session.asked, 3);
  assert.equal(early.find('orders', 0), orders);
  assert.equal(session.asked, 3);
});

test('reading and writing, names and ids, and sessions are kept apart', () => {
  const session = new PermittingSession();
  assert.equal(begun('read', session).find('id-orders', 0)?.topic, 'id-orders');
  assert.equal(begun('write', session).find('id-orders', 0)?.action, 'write');
  assert.equal(begun('read', session, true).find('id-orders', 0)?.topic, 'orders');
  assert.equal(begun('read', session).find('id-orders', 0)?.topic, 'id-orders');
  assert.equal(session.asked, 3);
  const other = new PermittingSession();
  begun('read', other).find('id-orders', 0);
  assert.equal(other.asked, 1);
});

test('nothing that was found is found once the session stands on something else', () => {
  const session = new PermittingSession();
  const flows = begun('read', session);
  const before = flows.find('orders', 0);
  session.stands = {};
  assert.equal(flows.begin(session as unknown as GateSession), true);
  const after = flows.find('orders', 0);
  assert.notEqual(after, before);
  assert.equal(after?.standing, session.stands);
});

test('what does not stand is asked for again each time, and so is an id without a name', () => {
  const session = new PermittingSession();
  const flows = begun('write', session);
  assert.equal(flows.find('secret', 0), null);
  assert.equal(flows.find('secret', 0), null);
  assert.equal(session.asked, 2);
  assert.equal(begun('write', session, true).find('unknown', 0), null);
  assert.equal(session.asked, 2);
});

test('a session keeps so many topics, and asks for those beyond', () => {
  const session = new PermittingSession();
  const flows = begun('write', session);
  for (let topic = 0; topic <= laneTopicsMax; topic += 1) flows.find(`topic-${topic}`, 0);
  session.asked = 0;
  flows.find('topic-0', 0);
  assert.equal(session.asked, 0);
  flows.find(`topic-${laneTopicsMax}`, 0);
  flows.find('topic-0', 0);
  flows.find(`topic-${laneTopicsMax}`, 0);
  assert.equal(session.asked, 2);
});
