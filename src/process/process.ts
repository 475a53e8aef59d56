/** The door of the process part: what runs around the gateway. */
export { PolicyLoadError, keepPolicies } from './policy-keeper.ts';
export type { PolicyKeeper } from './policy-keeper.ts';
export { superviseGateway } from './signals.ts';
export { Started } from './started.ts';
