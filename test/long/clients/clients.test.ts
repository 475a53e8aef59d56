/**
 * Stock clients through the gateway, in the versions people have: each way of saying who they are, each kind of group,
 * re-authentication over several lifetimes of a token, transactions; with the denials in each client's own words. What a
 * client itself says is held against what the broker says.
 *
 * SLUICE_LONG_BUDGET=short takes a few cells of a few clients. SLUICE_CLIENTS=java,kcat takes only these, in full.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { messageOf } from '../../../src/lib/errors.ts';
import { adminCell, dataCell, renewalCell, transactionCell } from './cells.ts';
import type { Client, Column } from './client.ts';
import { type RunColumn, chosenCells, clients } from './clients.ts';
import { type Ground, startGround } from './ground.ts';
import { Matrix } from './matrix.ts';
import type { AuthKind } from './task.ts';

const matrix = new Matrix();
let ground: Ground;

before(async () => {
  ground = await startGround();
});

after(async () => {
  await ground?.stop();
});

/** The credential for what is not about credentials. */
function usual({ without }: Client): AuthKind {
  return without.OIDC === undefined ? 'oidc' : 'callback';
}

/** Classic groups are what the cells of the credentials read in. */
const cells: Readonly<Record<RunColumn, (client: Client) => Promise<string>>> = {
  OIDC: (client) => dataCell(ground, client, 'oidc'),
  callback: (client) => dataCell(ground, client, 'callback'),
  PLAIN: (client) => dataCell(ground, client, 'plain'),
  mTLS: (client) => dataCell(ground, client, 'mtls'),
  're-auth': (client) => renewalCell(ground, client, usual(client)),
  'KIP-848': (client) => dataCell(ground, client, usual(client), 'consumer'),
  share: (client) => dataCell(ground, client, usual(client), 'share'),
  transactions: (client) => client.transactions?.(ground) ?? transactionCell(ground, client, usual(client)),
  admin: (client) => adminCell(ground, client, usual(client)),
};

const credentials: ReadonlySet<Column> = new Set(['OIDC', 'callback', 'PLAIN', 'mTLS']);

for (const client of clients) {
  const chosen = chosenCells(client);
  if (chosen.length === 0) continue;
  describe(client.name, () => {
    let absent: string | null = null;

    before(async () => {
      await client.prepare().catch((error: unknown) => {
        absent = messageOf(error);
        matrix.missing(client, absent);
      });
    });

    for (const column of chosen) {
      test(column, async (t) => {
        if (absent !== null) {
          t.skip(absent);
          return;
        }
        try {
          matrix.ok(client, column, await cells[column](client));
          if (credentials.has(column)) matrix.ok(client, 'classic', '');
        } catch (error) {
          matrix.failed(client, column);
          if (credentials.has(column)) matrix.failed(client, 'classic');
          throw error;
        }
      });
    }
  });
}

test('the matrix', (t) => {
  const shown = clients.filter((client) => chosenCells(client).length > 0);
  assert.ok(shown.length > 0, 'no client was chosen');
  for (const line of matrix.lines(shown)) t.diagnostic(line);
});
