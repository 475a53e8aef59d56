/** Kafka's own operation names in lower case, so that rules can be held against a broker's ACLs. Other ports map onto them. */
export type Action =
  | 'read'
  | 'write'
  | 'create'
  | 'delete'
  | 'alter'
  | 'describe'
  | 'cluster-action'
  | 'describe-configs'
  | 'alter-configs'
  | 'idempotent-write';

export const actions: readonly Action[] = [
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'cluster-action',
  'describe-configs',
  'alter-configs',
  'idempotent-write',
];

export type ResourceType = 'topic' | 'group' | 'transactional-id' | 'cluster';

export const resourceTypes: readonly ResourceType[] = ['topic', 'group', 'transactional-id', 'cluster'];

/** The one name that a resource of type `cluster` has, as in Kafka's ACLs. */
export const clusterName = 'kafka-cluster';

/** One action on one resource, by whoever holds the session that asks. */
export interface Operation {
  readonly action: Action;
  readonly resourceType: ResourceType;
  readonly resourceName: string;
  /** Set where the operation touches one partition of a topic. */
  readonly partition?: number;
}
