/** What producers at a low, fixed rate wait for an acknowledgement, and how much of that each peer adds. */
import { plainTable, spread } from '../report.ts';
import type { Sample } from '../rounds.ts';
import { type Spread, spreadOf } from '../statistics.ts';

/** Averages, which the tool says to a hundredth of a millisecond; its percentiles are whole milliseconds. */
export function waitsTable(samples: readonly Sample[], cell: string): string {
  const own = samples.filter((sample) => sample.cell === cell && sample.averageLatencyMs !== undefined);
  const peers = [...new Set(own.map(({ peer }) => peer))].toSorted();
  const head = [`${cell}: average wait, ms`, 'all', 'added to direct'];
  const lines = peers.map((peer) => [
    peer,
    spread(waitsOf(own, peer)),
    peer === 'direct' ? '–' : spread(addedBy(own, peer)),
  ]);
  return lines.length === 0 ? '' : plainTable(head, lines);
}

function waitsOf(samples: readonly Sample[], peer: string): Spread {
  return spreadOf(
    samples.filter((sample) => sample.peer === peer).map((sample) => sample.averageLatencyMs ?? Number.NaN),
  );
}

/** Within each round. */
function addedBy(samples: readonly Sample[], peer: string): Spread {
  const waitOf = (name: string, round: number): number =>
    samples.find((sample) => sample.peer === name && sample.round === round)?.averageLatencyMs ?? Number.NaN;
  const rounds = new Set(samples.map(({ round }) => round));
  return spreadOf([...rounds].map((round) => waitOf(peer, round) - waitOf('direct', round)));
}
