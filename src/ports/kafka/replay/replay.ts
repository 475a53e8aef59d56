/** The door of replaying Kafka sessions: a recording's items in, records out, on screen or into a topic again. */
export type { BatchEvent, Direction, ReferenceEvent, ReplayEvent, ReplayedRecord, Resolver } from './contract.ts';
export { ClusterClient } from './cluster-client.ts';
export { planDigest } from './cursor.ts';
export { replayEvents } from './events.ts';
export type { ItemFilter } from './events.ts';
export { driveInto } from './into.ts';
export type { LinkOptions } from './link.ts';
export { PlanReport, planUnits } from './plan.ts';
export type { PlanOptions } from './plan.ts';
export { brokerResolver } from './references.ts';
