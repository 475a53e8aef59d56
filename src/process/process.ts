/** The door of the process part: what runs around the gateway. */
export { Front } from './front.ts';
export type { ListenAt } from './front.ts';
export { HandedSockets } from './handed-sockets.ts';
export { Link } from './link.ts';
export { PolicyLoadError, keepPolicies } from './policy-keeper.ts';
export type { PolicyKeeper } from './policy-keeper.ts';
export { superviseGateway } from './signals.ts';
export { Started } from './started.ts';
export { WorkerPool } from './worker-pool.ts';
export { linkFile } from './worker-process.ts';
export type { WorkerProcess, WorkerReport } from './worker-process.ts';
