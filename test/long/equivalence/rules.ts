/**
 * Who may do what in the equivalence suite: one table, turned into a broker's ACLs and into a policy of the gateway.
 * Names carry their rule in front: `read-q17` is a topic (or a group, or a transactional id) that alice may read.
 */
import { type Action, type ResourceType, clusterName } from '../../../src/model/operation.ts';
import type { Draft, RequestMessages } from '../../../src/ports/kafka/protocol/protocol.ts';

export const users = [
  'alice',
  'nobody',
  'oscar',
  'describer',
  'creator',
  'idem',
  'actor',
  'configurer',
  'alterer',
] as const;
export type User = (typeof users)[number];

interface Rule {
  readonly who: User;
  readonly resource: ResourceType;
  /** Names that begin with `KIND-`; `*` is every name, and the cluster's only one. */
  readonly kind: string;
  readonly allow?: readonly Action[];
  readonly deny?: readonly Action[];
}

const topicActions: readonly Action[] = [
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'describe-configs',
  'alter-configs',
];
const groupActions: readonly Action[] = ['read', 'delete', 'describe', 'describe-configs', 'alter-configs'];
const transactionActions: readonly Action[] = ['write', 'describe'];
const clusterActions: readonly Action[] = [
  'create',
  'cluster-action',
  'describe-configs',
  'alter-configs',
  'idempotent-write',
  'alter',
  'describe',
];

/** `none-` stands in no rule: nobody but oscar may do anything with it. */
const rules: readonly Rule[] = [
  { who: 'alice', resource: 'topic', kind: 'read', allow: ['read'] },
  { who: 'alice', resource: 'topic', kind: 'write', allow: ['write'] },
  { who: 'alice', resource: 'topic', kind: 'describe', allow: ['describe'] },
  { who: 'alice', resource: 'topic', kind: 'create', allow: ['create'] },
  { who: 'alice', resource: 'topic', kind: 'make', allow: ['create', 'describe'] },
  { who: 'alice', resource: 'topic', kind: 'delete', allow: ['delete'] },
  { who: 'alice', resource: 'topic', kind: 'alter', allow: ['alter'] },
  { who: 'alice', resource: 'topic', kind: 'dconf', allow: ['describe-configs'] },
  { who: 'alice', resource: 'topic', kind: 'aconf', allow: ['alter-configs'] },
  { who: 'alice', resource: 'topic', kind: 'full', allow: topicActions },
  // A denied read leaves the describe that an allowed one implies; a denied describe leaves the read.
  { who: 'alice', resource: 'topic', kind: 'barred', allow: ['read', 'write'], deny: ['read'] },
  { who: 'alice', resource: 'topic', kind: 'blind', allow: ['read', 'write', 'delete'], deny: ['describe'] },
  { who: 'alice', resource: 'group', kind: 'read', allow: ['read'] },
  { who: 'alice', resource: 'group', kind: 'describe', allow: ['describe'] },
  { who: 'alice', resource: 'group', kind: 'delete', allow: ['delete'] },
  { who: 'alice', resource: 'group', kind: 'dconf', allow: ['describe-configs'] },
  { who: 'alice', resource: 'group', kind: 'aconf', allow: ['alter-configs'] },
  { who: 'alice', resource: 'group', kind: 'full', allow: groupActions },
  { who: 'alice', resource: 'group', kind: 'barred', allow: ['read'], deny: ['read'] },
  { who: 'alice', resource: 'group', kind: 'blind', allow: ['read', 'delete'], deny: ['describe'] },
  { who: 'alice', resource: 'transactional-id', kind: 'write', allow: ['write'] },
  { who: 'alice', resource: 'transactional-id', kind: 'describe', allow: ['describe'] },
  { who: 'alice', resource: 'transactional-id', kind: 'blind', allow: ['write'], deny: ['describe'] },
  { who: 'oscar', resource: 'topic', kind: '*', allow: topicActions },
  { who: 'oscar', resource: 'group', kind: '*', allow: groupActions },
  { who: 'oscar', resource: 'transactional-id', kind: '*', allow: transactionActions },
  { who: 'oscar', resource: 'cluster', kind: '*', allow: clusterActions },
  { who: 'describer', resource: 'cluster', kind: '*', allow: ['describe'] },
  { who: 'creator', resource: 'cluster', kind: '*', allow: ['create'] },
  { who: 'creator', resource: 'topic', kind: 'make', allow: ['describe', 'describe-configs'] },
  { who: 'idem', resource: 'cluster', kind: '*', allow: ['idempotent-write'] },
  { who: 'actor', resource: 'cluster', kind: '*', allow: ['cluster-action'] },
  { who: 'configurer', resource: 'cluster', kind: '*', allow: ['describe-configs', 'alter-configs'] },
  { who: 'alterer', resource: 'cluster', kind: '*', allow: ['alter'] },
];

const resourceTypes: Readonly<Record<ResourceType, number>> = { topic: 2, group: 3, cluster: 4, 'transactional-id': 5 };
const operations: Readonly<Record<Action, number>> = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  'cluster-action': 9,
  'describe-configs': 10,
  'alter-configs': 11,
  'idempotent-write': 12,
};
const literal = 3;
const prefixed = 4;
const denied = 2;
const allowed = 3;

/** The rules as a broker takes them. */
export function aclCreations(): Draft<RequestMessages['CreateAcls']>['creations'] {
  return rules.flatMap(({ who, resource, kind, allow = [], deny = [] }) => {
    const everything = kind === '*';
    const acl = (permissionType: number) => (action: Action) => ({
      resourceType: resourceTypes[resource],
      resourceName: resource === 'cluster' ? clusterName : everything ? '*' : `${kind}-`,
      resourcePatternType: everything ? literal : prefixed,
      principal: `User:${who}`,
      host: '*',
      operation: operations[action],
      permissionType,
    });
    return [...allow.map(acl(allowed)), ...deny.map(acl(denied))];
  });
}

const fields: Readonly<Record<ResourceType, string>> = {
  topic: 'topics',
  group: 'consumerGroups',
  'transactional-id': 'transactionalIds',
  cluster: 'cluster',
};

/** The rules as the gateway takes them, each user being the only member of a group of the same name. */
export function policyText(port: string): string {
  const documents = users.flatMap((who) => {
    const own = rules.filter((rule) => rule.who === who);
    if (own.length === 0) return [];
    const listed = (effect: 'allow' | 'deny'): object[] =>
      own.flatMap((rule) => {
        const { resource, kind } = rule;
        const names = resource === 'cluster' ? true : [kind === '*' ? '*' : `${kind}-*`];
        const actions = rule[effect];
        return actions === undefined ? [] : [{ port, [fields[resource]]: names, actions }];
      });
    return [
      {
        apiVersion: 'sluice/v1',
        kind: 'Policy',
        metadata: { name: who },
        spec: {
          subjects: [{ group: who }],
          allow: listed('allow'),
          ...(listed('deny').length > 0 ? { deny: listed('deny') } : {}),
        },
      },
    ];
  });
  return documents.map((document) => JSON.stringify(document)).join('\n---\n');
}

type Of<T> = NonNullable<T>[number & keyof NonNullable<T>];

/** One more rule, as a broker takes it and finds it again: the user may not read this topic. */
export function readDenial(
  user: User,
  topic: string,
): {
  readonly creation: Of<Draft<RequestMessages['CreateAcls']>['creations']>;
  readonly filter: Of<Draft<RequestMessages['DeleteAcls']>['filters']>;
} {
  const same = { operation: operations.read, permissionType: denied };
  const principal = `User:${user}`;
  return {
    creation: {
      ...same,
      resourceType: resourceTypes.topic,
      resourceName: topic,
      resourcePatternType: literal,
      principal,
      host: '*',
    },
    filter: {
      ...same,
      resourceTypeFilter: resourceTypes.topic,
      resourceNameFilter: topic,
      patternTypeFilter: literal,
      principalFilter: principal,
      hostFilter: '*',
    },
  };
}

/** The same rule, as the gateway takes it. */
export function readDenialText(port: string, user: User, topic: string): string {
  return JSON.stringify({
    apiVersion: 'sluice/v1',
    kind: 'Policy',
    metadata: { name: `bar-${user}-${topic}` },
    spec: { subjects: [{ group: user }], deny: [{ port, topics: [topic], actions: ['read'] }] },
  });
}
