import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';
import type { EntryDraft } from '../draft.ts';
import { Courier } from './courier.ts';

interface Place {
  readonly sent: number[];
  readonly reports: EntryDraft[];
  readonly clock: { nowMs: number };
  broken: boolean;
  readonly courier: Courier;
}

function place(): Place {
  const sent: number[] = [];
  const reports: EntryDraft[] = [];
  const time = { nowMs: 1_000_000 };
  const clock: Clock = { nowMs: () => time.nowMs };
  const made = {
    sent,
    reports,
    clock: time,
    broken: false,
    courier: new Courier(
      {
        name: 's3',
        send: async (size) => {
          await sleep(1);
          if (made.broken) throw new Error('503 with a\u0007bell');
          sent.push(size);
        },
      },
      { clock, logger: silentLogger, report: (draft) => void reports.push(draft), retryMs: 2, retryMsMax: 8 },
    ),
  };
  return made;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

test('what waits is overtaken by the newest', async () => {
  const { courier, sent } = place();
  for (const size of [1, 2, 3]) courier.take(size, 'x');
  await courier.close();
  assert.deepEqual(sent, [1, 3]);
  assert.deepEqual(courier.status(), { sink: 's3', ok: true, failures: 0, size: 3, failingSinceMs: null });
});

test('what fails is tried again until it arrives, and told of once when that takes long', async () => {
  const here = place();
  here.broken = true;
  here.courier.take(1, 'x');
  await until(() => here.courier.status().failures >= 3);
  assert.deepEqual([here.courier.status().ok, here.reports.length], [false, 0]);
  here.clock.nowMs += 300_000;
  await until(() => here.reports.length > 0);
  const after = here.courier.status().failures;
  await until(() => here.courier.status().failures > after + 2);
  assert.deepEqual(
    here.reports.map(({ code }) => code),
    ['log.push-failing'],
  );
  assert.equal(here.reports[0]?.data['since'], new Date(1_000_000).toISOString());
  assert.ok(!JSON.stringify(here.reports).includes('\\u0007'));
  here.courier.take(2, 'x');
  here.broken = false;
  await until(() => here.courier.status().ok);
  assert.deepEqual([here.sent, here.reports.length], [[2], 2]);
  await here.courier.close();
});

test('the end waits for one more attempt and no longer', async () => {
  const here = place();
  here.broken = true;
  here.courier.take(1, 'x');
  await until(() => here.courier.status().failures > 0);
  await here.courier.close();
  assert.equal(here.courier.status().ok, false);
});
