import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { AuthenticationError, authenticationErrors } from './identity.ts';

test('docs/authentication.md explains every code in the words of the table', async () => {
  const page = await readFile(new URL('../../docs/authentication.md', import.meta.url), 'utf8');
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.replace(/ +/g, ' '));
  const expected = Object.entries(authenticationErrors).map(
    ([code, { meaning, action }]) => `| \`${code}\` | ${meaning} | ${action} |`,
  );
  assert.deepEqual(rows, expected);
});

test('what an error repeats of a credential is cut and made printable', () => {
  const error = new AuthenticationError('expired', 'the token expired', {
    claimedId: `a\u0000\u200b\ud800${'x'.repeat(1_000)}`,
  });
  assert.equal(error.claimedId?.slice(0, 5), 'a???x');
  assert.equal(error.claimedId.length, 256);
  assert.equal(error.claimedIssuer, undefined);
  assert.equal(error.detail, 'the token expired');
  assert.equal(error.retriable, false);
  assert.equal(error.name, 'AuthenticationError');
});
