/** The exit codes of every command, in one table: `sluice help exit-codes` prints it, docs/cli.md holds it. */
export const exitCodes: {
  readonly ok: 0;
  readonly problems: 1;
  readonly usage: 2;
  readonly denied: 3;
  readonly differs: 4;
  readonly altered: 5;
  readonly incomplete: 6;
  readonly unproved: 7;
  readonly gapsReported: 8;
  readonly internalError: 70;
} = {
  ok: 0,
  problems: 1,
  usage: 2,
  denied: 3,
  differs: 4,
  altered: 5,
  incomplete: 6,
  unproved: 7,
  gapsReported: 8,
  internalError: 70,
};

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodeMeanings: readonly (readonly [code: string, meaning: string])[] = [
  [
    '0',
    'Done. For `policy test`: permitted. For `policy diff`: no difference. For `audit verify`: intact and complete. For `serve`: stopped as asked.',
  ],
  [
    '1',
    'Something is wrong and was reported: a problem in the configuration or the policies, a port in use, a file that cannot be read.',
  ],
  ['2', 'The command line is wrong: an unknown command or option, a missing or impossible value.'],
  ['3', '`policy test`: denied.'],
  ['4', '`policy diff`: the two differ.'],
  [
    '5',
    '`audit verify`: what is there is not what was signed, or the proof does not hold. `replay`: a recording was altered.',
  ],
  [
    '6',
    '`audit verify`: entries are missing, and the gateway did not say so. `audit export`: entries were gone before they were exported.',
  ],
  ['7', '`audit verify`: nothing speaks against the log, but no pinned key, or no checkpoint, speaks for it.'],
  ['8', '`audit verify`: intact; the gateway itself reported that something is missing.'],
  ['70', 'A defect in Sluice itself.'],
  ['137', '`audit query`: its SQL could not be stopped at the end of its time, so the command ended itself.'],
  ['130, 143', '`serve`: ended at once by a second SIGINT or SIGTERM while it was draining.'],
];
