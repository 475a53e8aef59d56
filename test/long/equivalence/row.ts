/** What the table of the suite is made of: a row for each API, with the cases that every version of it goes through. */
import type { ApiName, Draft, RequestMessages, ResponseMessages } from '../../../src/ports/kafka/protocol/protocol.ts';
import type { At } from './at.ts';
import type { Effect } from './effects.ts';
import type { User } from './rules.ts';

export interface Case<N extends ApiName> {
  /** What it shows: `allowed`, `denied`, `partly allowed`, `nonexistent`, `all`, `by id`, `unknown id`, and more closely. */
  readonly name: string;
  /** Default alice. */
  readonly as?: User;
  /** Where the case has a meaning; default every version. */
  readonly from?: number;
  readonly to?: number;
  readonly prepare?: (at: At) => Promise<void>;
  readonly request: (at: At) => Draft<RequestMessages[N]>;
  /** What follows on the same connection, in order; the answers to all of it are compared. */
  readonly followedBy?: readonly Step<N>[];
  /** True where the API promises no answer (Produce with acks=0). */
  readonly noAnswer?: boolean;
}

export interface Step<N extends ApiName> {
  /** What happens before it, on either side. */
  readonly before?: (at: At) => Promise<void>;
  /** @param answers what the side has answered so far */
  readonly request: (at: At, answers: readonly ResponseMessages[N][]) => Draft<RequestMessages[N]>;
}

export interface Row<N extends ApiName> {
  readonly api: N;
  /** `shared`: the cases change nothing and read what is there for all. `fresh`: each has names of its own. */
  readonly names: 'shared' | 'fresh';
  /** Before each case of a row with fresh names, besides the case's own. */
  readonly prepare?: (at: At) => Promise<void>;
  /** What an admin looks at afterwards. */
  readonly effects?: readonly Effect[];
  /** True where cases change something of the whole cluster: they run while nothing else does. */
  readonly alone?: boolean;
  readonly cases: readonly Case<N>[];
}

export type AnyRow = { [N in ApiName]: Row<N> }[ApiName];

/** Names the row's API once, so that its requests are checked against that API's message. */
export function row<N extends ApiName>(api: N, parts: Omit<Row<N>, 'api'>): AnyRow {
  // The union's member for this N; the compiler cannot follow a type parameter into a mapped type.
  return { api, ...parts } as unknown as AnyRow;
}
