/**
 * Where the gateway answers otherwise than a broker's ACLs would, on purpose. Nothing else may differ: the equivalence
 * suite fails on any difference that is not here, and on any entry here that no longer occurs. Printed in
 * docs/kafka-api.md.
 */
import type { ApiName } from '../../../src/ports/kafka/protocol/protocol.ts';

export interface AcceptedDifference {
  readonly apis: readonly ApiName[];
  /** Cases whose names match. */
  readonly cases: RegExp;
  /** Where in the comparison: `answer…` for the response, `effects…` for what an admin sees afterwards. */
  readonly path: RegExp;
  /** What the broker does, in a few words that follow "broker". */
  readonly broker: string;
  /** What the gateway does, in a few words that follow "gateway". */
  readonly gateway: string;
  readonly reason: string;
}

export const acceptedDifferences: readonly AcceptedDifference[] = [
  {
    apis: ['Produce'],
    cases: /^partly allowed: acks=0$/,
    path: /^effects\.records\.latest/,
    broker: 'writes what is allowed and then closes the connection',
    gateway: 'closes the connection and writes nothing',
    reason:
      'a client that hears nothing but a closed connection sends everything again, so what was written would be there twice',
  },
  {
    apis: ['Fetch'],
    cases: /^session: denied midway and permitted again$/,
    path: /^answer\.step3\.message/,
    broker: 'goes on with a partition that was denied for a while in the middle of a session',
    gateway: 'answers FETCH_SESSION_ID_NOT_FOUND, and the client begins a new session',
    reason: 'the gateway had to take the partition out of the session, and only the client knows where it stood',
  },
  {
    apis: ['Fetch'],
    cases: /^session: all denied midway$/,
    path: /^answer\.(step2\.message\.sessionId|step3\.message)/,
    broker: 'goes on with a session of which everything is denied by now',
    gateway: 'ends it with the answer that says so',
    reason: 'the session is the broker’s own, which is asked for nothing that is denied',
  },
  {
    apis: ['Fetch'],
    cases: /^session: begun, all denied$/,
    path: /^answer\.message\.sessionId$/,
    broker: 'begins a fetch session of which it denies everything',
    gateway: 'answers without one (session id 0)',
    reason: 'the session would be the broker’s own, which is asked for nothing that is denied',
  },
  {
    apis: ['ListOffsets', 'OffsetForLeaderEpoch'],
    cases: /^replica$/,
    path: /^answer\.message\.topics/,
    broker: 'tells whoever may describe a topic, in the name of a replica, where its log ends, replicated or not',
    gateway: 'answers a question in the name of a replica with TOPIC_AUTHORIZATION_FAILED',
    reason: 'brokers do not come through the gateway, and consumers never ask like this',
  },
  {
    apis: ['ShareFetch'],
    cases: /^unknown id$/,
    path: /^answer\.message/,
    broker: 'fails on an id that no topic has, with UNKNOWN_SERVER_ERROR for the whole request',
    gateway: 'answers UNKNOWN_TOPIC_ID for that topic and fetches the rest',
    reason: 'the code that clients know what to do with: they refresh their metadata',
  },
  {
    apis: ['ShareFetch', 'ShareAcknowledge'],
    cases: /^invalid: no member$/,
    path: /^answer\.message\.error(Code|Message)$/,
    broker: 'fails on a request without a member id, with UNKNOWN_SERVER_ERROR',
    gateway: 'answers INVALID_REQUEST',
    reason: 'says what is wrong; no client of Kafka sends such a request',
  },
  {
    apis: ['AlterShareGroupOffsets'],
    cases: /^(denied: topics|partly allowed|nonexistent: group)$/,
    path: /^answer\.message\.responses\[.*\]\.topicId$|^answer\.message\.responses\[/,
    broker: 'tells the id of a denied topic, and so that it exists',
    gateway: 'tells no id',
    reason: 'whether a topic exists is for those who may describe it',
  },
  {
    apis: ['ConsumerGroupHeartbeat'],
    cases: /^(nonexistent: member|allowed: heartbeat of a member)$/,
    path: /^answer\.message/,
    broker: 'knows what a member subscribes to from its earlier heartbeats, on whatever connection',
    gateway:
      'answers the first heartbeat of a member on a connection with COORDINATOR_LOAD_IN_PROGRESS, from version 1 on',
    reason:
      'the member then sends its subscription again, which the gateway needs to resolve regular expressions itself',
  },
  {
    apis: ['ConsumerGroupHeartbeat'],
    cases: /^expression: malformed$/,
    path: /^answer\.message\.errorMessage$/,
    broker: 'quotes the expression and what its parser says of it',
    gateway: 'says so in its own words',
    reason: 'the same code, INVALID_REGULAR_EXPRESSION',
  },
  {
    apis: ['ConsumerGroupHeartbeat'],
    cases: /^expression$/,
    path: /^(effects\.groups.*groupState|answer\.message\.assignment)/,
    broker: 'resolves an expression beside the heartbeat, and assigns with a later one',
    gateway: 'resolves it before the heartbeat goes on, and so the broker assigns at once',
    reason: 'the expression must never reach the broker, which would resolve it by the rights of the gateway',
  },
  {
    apis: ['StreamsGroupHeartbeat'],
    cases: /^denied: internal topics not created$/,
    path: /^(answer\.message|effects\.groups)/,
    broker: 'takes the member in, creates nothing and reports the internal topics as missing',
    gateway: 'refuses the heartbeat with TOPIC_AUTHORIZATION_FAILED and names the topics',
    reason:
      'the broker creates internal topics in the name of whoever asks, which is the gateway: it cannot be told to hold back',
  },
  {
    apis: ['DescribeQuorum'],
    cases: /^asked as/,
    path: /^answer\.message\.nodes.*listeners/,
    broker: 'tells where controllers listen',
    gateway: 'leaves it out',
    reason: 'controllers are not reached through the gateway, and addresses behind it stay there',
  },
  {
    apis: ['DescribeConfigs'],
    cases: /^allowed: broker/,
    path: /(listeners|controller\.quorum\.voters|controller\.quorum\.bootstrap\.servers).*(value|isSensitive)$/,
    broker: 'shows where brokers and controllers listen',
    gateway: 'shows these values as sensitive ones, without a value',
    reason: 'addresses behind the gateway stay there',
  },
  {
    apis: [
      'UpdateFeatures',
      'UnregisterBroker',
      'ElectLeaders',
      'AlterPartitionReassignments',
      'ListPartitionReassignments',
      'AlterUserScramCredentials',
      'DescribeAcls',
      'CreateAcls',
      'DeleteAcls',
      'AddRaftVoter',
      'RemoveRaftVoter',
      'AlterClientQuotas',
    ],
    cases: / as (alice|describer)$|^all: denied$/,
    path: /[eE]rrorMessage$/,
    broker: 'words a denial by printing its own request object (“Request Request(processor=0, …) is not authorized.”)',
    gateway: 'says “Cluster authorization failed.”',
    reason: 'the same code; the text is nobody’s business and tells addresses',
  },
  {
    apis: ['DescribeUserScramCredentials', 'AlterUserScramCredentials'],
    cases: /^asked as (describer|alterer)$/,
    path: /^answer\.message/,
    broker: 'serves whoever may describe or alter the cluster',
    gateway: 'answers CLUSTER_AUTHORIZATION_FAILED to everybody',
    reason: 'the upstream’s own credentials are not managed through the gateway: they could open a way around it',
  },
  {
    apis: ['CreateDelegationToken'],
    cases: /^asked as/,
    path: /[pP]rincipal(Type|Name)$/,
    broker: 'names the owner in its refusal',
    gateway: 'names nobody',
    reason: 'there is no such principal at the broker: there the gateway’s own would own the token',
  },
];

/** Versions that brokers speak on their client listeners and the gateway does not. */
export interface VersionCap {
  readonly api: ApiName;
  readonly aboveVersion: number;
  readonly reason: string;
}

export const versionCaps: readonly VersionCap[] = [
  {
    api: 'AddPartitionsToTxn',
    aboveVersion: 3,
    reason: 'from version 4 on brokers speak it to each other (KIP-890) and ask for CLUSTER_ACTION; clients end at 3',
  },
];
