import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { silentLogger } from '../lib/logger.ts';
import { PolicyLoadError, keepPolicies } from './policy-keeper.ts';
import { superviseGateway } from './signals.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

/** A gateway whose stop ends when the test says so. */
function fakeGateway(): {
  gateway: {
    stop(reason: string): Promise<void>;
    reloadPolicies(): Promise<boolean>;
    restartWorkers(): Promise<void>;
  };
  calls: string[];
  finish: () => void;
  fail: (error: Error) => void;
} {
  const calls: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return {
    calls,
    finish: resolve,
    fail: reject,
    gateway: {
      stop(reason) {
        calls.push(`stop ${reason}`);
        return promise;
      },
      reloadPolicies() {
        calls.push('reload');
        return Promise.resolve(true);
      },
      restartWorkers() {
        calls.push('restart');
        return Promise.resolve();
      },
    },
  };
}

describe('signals', () => {
  test('the first drains, and the code is 0 once it has', async () => {
    const handle = new FakeProcess();
    const { gateway, calls, finish } = fakeGateway();
    const code = superviseGateway(gateway, silentLogger, handle);
    handle.emit('SIGTERM');
    assert.deepEqual([calls, handle.exits], [['stop SIGTERM'], []]);
    finish();
    assert.equal(await code, 0);
    assert.equal(handle.eventNames().length, 0, 'no listener is left');
  });

  test('a second ends at once', () => {
    for (const [first, second, code] of [
      ['SIGTERM', 'SIGTERM', 143],
      ['SIGTERM', 'SIGINT', 130],
    ] as const) {
      const handle = new FakeProcess();
      const { gateway, calls } = fakeGateway();
      void superviseGateway(gateway, silentLogger, handle);
      handle.emit(first);
      handle.emit(second);
      assert.deepEqual([calls.length, handle.exits], [1, [code]]);
    }
  });

  test('SIGHUP reads the policies again and stops nothing', () => {
    const handle = new FakeProcess();
    const { gateway, calls } = fakeGateway();
    void superviseGateway(gateway, silentLogger, handle);
    handle.emit('SIGHUP');
    assert.deepEqual(calls, ['reload']);
  });

  test('SIGUSR2 restarts the workers and stops nothing', () => {
    const handle = new FakeProcess();
    const { gateway, calls } = fakeGateway();
    void superviseGateway(gateway, silentLogger, handle);
    handle.emit('SIGUSR2');
    assert.deepEqual(calls, ['restart']);
  });

  test('an error nobody caught closes what can be closed, and the code is 70', async () => {
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      const handle = new FakeProcess();
      const { gateway, calls, finish } = fakeGateway();
      const code = superviseGateway(gateway, silentLogger, handle);
      handle.emit(event, new Error('boom'));
      assert.deepEqual(calls, [`stop ${event}`]);
      finish();
      assert.equal(await code, 70);
    }
  });

  test('a drain that fails is not reported as clean', async () => {
    const handle = new FakeProcess();
    const { gateway, fail } = fakeGateway();
    const code = superviseGateway(gateway, silentLogger, handle);
    handle.emit('SIGINT');
    fail(new Error('the log could not be closed'));
    assert.equal(await code, 70);
  });
});

describe('policies in force', () => {
  const problem = { path: 'a.yaml', line: 1, column: 1, message: 'broken' };

  test('a broken edit is reported and the last good revision stays; a good one replaces it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-keeper-'));
    const events: string[] = [];
    await writeFile(join(directory, 'a.yaml'), 'r1');
    const keeper = await keepPolicies([{ path: 'a.yaml', text: 'r1' }], {
      directory,
      compile: (files) => {
        const revision = files[0]?.text ?? 'empty';
        if (revision === 'defect') throw new Error('boom');
        return revision === 'broken'
          ? { ok: false, problems: [problem] }
          : { ok: true, policies: { revision }, warnings: [] };
      },
      onLoaded: ({ revision }, previous) => events.push(`${previous?.revision ?? 'none'} → ${revision}`),
      onRejected: (problems, inForce) => events.push(`${problems[0]?.message}, ${inForce.revision} stays`),
    });
    try {
      await writeFile(join(directory, 'a.yaml'), 'broken');
      assert.equal(await keeper.reload(), false);
      assert.equal(keeper.current().revision, 'r1');
      assert.equal(keeper.lastLoadOk(), false);
      await rm(join(directory, 'a.yaml'));
      await writeFile(join(directory, 'a.yaml'), 'r2');
      assert.equal(await keeper.reload(), true);
      assert.equal(keeper.current().revision, 'r2');
      // The watch may have seen the edit as well: a reload that is asked for reports again.
      assert.deepEqual([...new Set(events)], ['none → r1', 'broken, r1 stays', 'r1 → r2']);
      await writeFile(join(directory, 'a.yaml'), 'defect');
      assert.equal(
        await keeper.reload(),
        false,
        'a defect in compiling is a rejected edit, not the end of the gateway',
      );
      assert.equal(keeper.current().revision, 'r2');
      await rm(directory, { recursive: true });
      assert.equal(await keeper.reload(), false, 'a folder that is gone is a broken edit, not an empty policy');
      assert.equal(keeper.current().revision, 'r2');
    } finally {
      keeper.close();
    }
  });

  test('a first load that is broken refuses, with the problems', async () => {
    await assert.rejects(
      () =>
        keepPolicies([], {
          directory: '/policies',
          compile: () => ({ ok: false, problems: [problem] }),
          onLoaded() {},
          onRejected() {},
        }),
      (error) =>
        error instanceof PolicyLoadError &&
        error.problems[0] === problem &&
        error.message.includes('a.yaml:1:1: broken'),
    );
  });
});
