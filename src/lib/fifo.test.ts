import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from './fifo.ts';

test('whatever is pushed and taken, it behaves as an array does', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 200 }), (steps) => {
      const fifo = new Fifo<{ value: number }>();
      const model: { value: number }[] = [];
      for (const step of steps) {
        if (step === undefined) assert.equal(fifo.shift(), model.shift());
        else {
          const item = { value: step };
          fifo.push(item);
          model.push(item);
        }
        assert.equal(fifo.length, model.length);
        assert.equal(fifo.first, model[0]);
      }
      for (const item of model) assert.equal(fifo.shift(), item);
      assert.equal(fifo.shift(), undefined);
      assert.equal(fifo.length, 0);
    }),
  );
});

test('what was taken is not held', async () => {
  const fifo = new Fifo<object>();
  fifo.push({});
  const taken = new WeakRef(fifo.shift() ?? assert.fail());
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--expose-gc');
  const { runInNewContext } = await import('node:vm');
  await new Promise((resolve) => setImmediate(resolve));
  (runInNewContext('gc') as () => void)();
  assert.equal(taken.deref(), undefined);
});
