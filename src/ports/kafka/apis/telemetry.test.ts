/** Clients' own metrics (KIP-714): passed on as they come, up to a size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { telemetryPushBytesMax } from '../../../lib/limits.ts';
import { errorCodes } from '../protocol/protocol.ts';
import { getTelemetrySubscriptions, pushTelemetry } from './telemetry.ts';
import { ask, worldOf } from './testing.ts';

const push = { clientInstanceId: 'AAAAAAAAAAAAAAAAAAAAAQ', subscriptionId: 1, terminating: false, compressionType: 0 };

test('a subscription and a push go on, and ask nothing of the policy', async () => {
  const world = worldOf();
  assert.equal((await ask(world, getTelemetrySubscriptions, 0, {})).kind, 'forward');
  const metrics = Buffer.alloc(telemetryPushBytesMax);
  assert.equal((await ask(world, pushTelemetry, 0, { ...push, metrics })).kind, 'forward');
  assert.deepEqual(world.asked, []);
});

test('a push that is too large stays here', async () => {
  const metrics = Buffer.alloc(telemetryPushBytesMax + 1);
  const { kind, answer } = await ask(worldOf(), pushTelemetry, 0, { ...push, metrics });
  assert.equal(kind, 'answer');
  assert.equal(answer?.errorCode, errorCodes.TELEMETRY_TOO_LARGE);
});
