import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SluiceError } from './errors.ts';
import { readSecret } from './secret.ts';

const value = 'correct horse';

/** The error a source gives, after making sure that it can be switched on, retried and shown. */
async function failureOf(source: Parameters<typeof readSecret>[0]): Promise<string> {
  let thrown: unknown;
  await rejects(readSecret(source), (error) => {
    thrown = error;
    return true;
  });
  ok(thrown instanceof SluiceError);
  equal(thrown.code, 'secret-unreadable');
  equal(thrown.retriable, true);
  return thrown.message;
}

describe('a secret', () => {
  let folder: string;
  const name = `SLUICE_SECRET_TEST_${process.pid}`;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-secret-'));
  });

  after(async () => {
    delete process.env[name];
    await rm(folder, { recursive: true });
  });

  const fileWith = async (text: string): Promise<string> => {
    const file = join(folder, 'secret');
    await writeFile(file, text);
    return file;
  };

  test('is read from the environment, again each time', async () => {
    process.env[name] = value;
    equal(await readSecret({ env: name }), value);
    process.env[name] = 'rotated';
    equal(await readSecret({ env: name }), 'rotated');
  });

  test('is read from a file, again each time', async () => {
    const file = await fileWith(value);
    equal(await readSecret({ file }), value);
    await writeFile(file, 'rotated');
    equal(await readSecret({ file }), 'rotated');
  });

  test('is read from the output of a command, whose arguments no shell sees', async () => {
    equal(await readSecret({ command: [process.execPath, '-e', `console.log('${value}')`] }), value);
    equal(await readSecret({ command: ['printf', '%s', '$HOME; `id`'] }), '$HOME; `id`');
  });

  test('loses one line end, and nothing else', async () => {
    const read = async (text: string): Promise<string> => readSecret({ file: await fileWith(text) });
    deepEqual(
      [await read('a\n'), await read('a\r\n'), await read('a\n\n'), await read(' a b \n'), await read('\na')],
      ['a', 'a', 'a\n', ' a b ', '\na'],
    );
  });

  test('that is not there is named by its place', async () => {
    equal(
      await failureOf({ env: 'SLUICE_NOT_SET' }),
      'A secret could not be read: environment variable SLUICE_NOT_SET is not set.',
    );
    const missing = await failureOf({ file: join(folder, 'missing') });
    ok(missing.includes(join(folder, 'missing')), missing);
    const command = await failureOf({ command: ['sluice-no-such-program'] });
    ok(command.includes('sluice-no-such-program'), command);
  });

  test('that is empty is refused: an empty password would be sent as one', async () => {
    process.env[name] = '';
    ok((await failureOf({ env: name })).includes(name));
    ok((await failureOf({ file: await fileWith('\n') })).includes('is empty'));
    ok((await failureOf({ command: ['true'] })).includes('is empty'));
  });

  test('never shows in the error of the command that failed, nor in its cause', async () => {
    const script = join(folder, 'leaks.sh');
    await writeFile(script, `#!/bin/sh\necho '${value}'\necho '${value}' >&2\nexit 3\n`);
    await chmod(script, 0o700);
    let thrown: unknown;
    await readSecret({ command: [script, value] }).catch((error: unknown) => {
      thrown = error;
    });
    ok(thrown instanceof SluiceError);
    ok(!JSON.stringify([thrown.message, thrown.stack, thrown.cause]).includes(value));
    ok(thrown.message.includes(script));
  });

  test('of more than 64 KiB is not taken from a command', async () => {
    const message = await failureOf({ command: [process.execPath, '-e', "process.stdout.write('x'.repeat(70000))"] });
    ok(!message.includes('xxx'));
  });
});
