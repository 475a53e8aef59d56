/** The whole table: a new API is one row in one of these lists. */
import { apiByName } from '../../../src/ports/kafka/protocol/protocol.ts';
import { versionCaps } from './differences.ts';
import type { AnyRow } from './row.ts';
import { clusterRows } from './rows/cluster.ts';
import { configRows } from './rows/configs.ts';
import { fetchSessionRows } from './rows/fetch-sessions.ts';
import { groupRows } from './rows/groups.ts';
import { newerGroupRows } from './rows/newer-groups.ts';
import { offsetRows } from './rows/offsets.ts';
import { recordRows } from './rows/records.ts';
import { shareRows } from './rows/share-groups.ts';
import { topicRows } from './rows/topics.ts';
import { transactionRows } from './rows/transactions.ts';
import type { Trial } from './run.ts';

export const table: readonly AnyRow[] = [
  ...recordRows,
  ...fetchSessionRows,
  ...topicRows,
  ...groupRows,
  ...offsetRows,
  ...transactionRows,
  ...newerGroupRows,
  ...shareRows,
  ...clusterRows,
  ...configRows,
];

/** Every case of a row in every version that it has a meaning in and the gateway serves. */
export function trialsOf(row: AnyRow): Trial[] {
  const { minVersion, maxVersion } = apiByName(row.api);
  const cap = versionCaps.find(({ api }) => api === row.api)?.aboveVersion ?? maxVersion;
  const trials: Trial[] = [];
  for (let version = minVersion; version <= Math.min(maxVersion, cap); version += 1) {
    for (const one of row.cases) {
      if (version >= (one.from ?? minVersion) && version <= (one.to ?? maxVersion))
        trials.push({ row, version, case: one });
    }
  }
  return trials;
}
