/**
 * ConsumerGroupHeartbeat (key 68, KIP-848). READ on the group, else 30; DESCRIBE on every topic that the member names,
 * else 29 for the whole.
 *
 * From version 1 on a member may subscribe by a regular expression. A broker resolves it by what its client may
 * describe, which behind the gateway is the gateway itself, and so everything. The gateway resolves it instead, by the
 * principal's policy, and the broker gets the names: with every heartbeat of such a member they are resolved again, so
 * that new topics and changes of policy show within a few seconds. No expression ever goes upstream; a description of
 * the group therefore shows names where the client gave an expression.
 *
 * A member sends what it subscribes to when that changes, and in full after an error (KIP-848: "null if it didn't
 * change since the last heartbeat"), so what it subscribes to is kept with its connection. On a connection that knows
 * nothing of a member yet, one heartbeat is answered with 14 (coordinator loads): the member stays in its group and
 * sends everything again. A client that does not is taken to subscribe by names, which the broker knows: its topics
 * stay what they were resolved to last.
 */
import { groupMembersPerConnectionMax } from '../../../lib/limits.ts';
import { type ConsumerGroupHeartbeatRequest, errorCodes } from '../protocol/protocol.ts';
import { mayDescribeAll } from './described-topics.ts';
import { type ApiHandler, type Exchange, type Verdict, forwardUnread } from './handler.ts';
import { topicsMatching } from './topic-patterns.ts';

/** From here on a member may subscribe by a regular expression. */
const regexVersion = 1;

/** What a member subscribes to, as it last said. */
interface Subscription {
  readonly names: readonly string[];
  /** Empty: none. */
  readonly regex: string;
  /** The names that the broker was given last for the expression, as one text; `null` where they must be given again. */
  resolved: string | null;
}

type Heartbeat = Exchange<'ConsumerGroupHeartbeat'>;

const membersOf = new WeakMap<object, Map<string, Subscription>>();

export const consumerGroupHeartbeat: ApiHandler<'ConsumerGroupHeartbeat'> = {
  name: 'ConsumerGroupHeartbeat',
  versions: { min: 0, max: 1 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle(exchange) {
    const { request, version, access } = exchange;
    if (!access.may('read', 'group', request.groupId)) return refused(errorCodes.GROUP_AUTHORIZATION_FAILED);
    if (!mayDescribeAll(request.subscribedTopicNames ?? [], access))
      return refused(errorCodes.TOPIC_AUTHORIZATION_FAILED);
    return version < regexVersion ? forwardUnread : subscribe(exchange);
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};

function subscribe(
  exchange: Heartbeat,
): Verdict<'ConsumerGroupHeartbeat'> | Promise<Verdict<'ConsumerGroupHeartbeat'>> {
  const { request } = exchange;
  const { subscribedTopicNames: names, subscribedTopicRegex: regex, memberEpoch } = request;
  const members = membersOn(exchange.connection);
  const key = keyOf(request);
  const known = members.get(key);
  if (memberEpoch < 0) {
    members.delete(key);
    return regex === null ? forwardUnread : { kind: 'forward', request: { ...request, subscribedTopicRegex: null } };
  }
  const next = {
    names: names ?? known?.names ?? [],
    regex: regex ?? known?.regex ?? '',
    resolved: known?.resolved ?? null,
  };
  remember(members, key, next);
  if (known === undefined && names === null && regex === null && memberEpoch > 0) {
    return refused(errorCodes.COORDINATOR_LOAD_IN_PROGRESS);
  }
  if (next.regex !== '') return resolve(exchange, next, names !== null || regex !== null);
  // The expression is gone, and the broker, which never saw it, still has the names it stood for.
  const wasResolved = known !== undefined && known.regex !== '';
  if (!wasResolved || names !== null) return forwardUnread;
  return { kind: 'forward', request: { ...request, subscribedTopicNames: next.names, subscribedTopicRegex: null } };
}

async function resolve(
  exchange: Heartbeat,
  subscription: Subscription,
  said: boolean,
): Promise<Verdict<'ConsumerGroupHeartbeat'>> {
  const { request, access, cluster, connection } = exchange;
  const match = await topicsMatching(cluster, subscription.regex);
  if (!match.ok) {
    membersOn(connection).delete(keyOf(request));
    return refused(errorCodes.INVALID_REGULAR_EXPRESSION, `The subscription's regular expression ${match.problem}.`);
  }
  const names = [...new Set([...subscription.names, ...match.topics])]
    .filter((name) => access.sees('describe', 'topic', name))
    .sort();
  const resolved = names.join('\n');
  if (!said && resolved === subscription.resolved) return forwardUnread;
  subscription.resolved = resolved;
  return {
    kind: 'forward',
    request: { ...request, subscribedTopicNames: names, subscribedTopicRegex: null },
    onResponse({ errorCode }) {
      if (errorCode !== 0) subscription.resolved = null;
      return false;
    },
  };
}

function membersOn(connection: object): Map<string, Subscription> {
  let members = membersOf.get(connection);
  if (members === undefined) {
    members = new Map();
    membersOf.set(connection, members);
  }
  return members;
}

function remember(members: Map<string, Subscription>, key: string, subscription: Subscription): void {
  if (!members.has(key) && members.size >= groupMembersPerConnectionMax) {
    const oldest = members.keys().next();
    if (oldest.done !== true) members.delete(oldest.value);
  }
  members.set(key, subscription);
}

/** Two names of any content as one, without two pairs ever meeting. */
function keyOf({ groupId, memberId }: ConsumerGroupHeartbeatRequest): string {
  return `${groupId.length}:${groupId}${memberId}`;
}

function refused(errorCode: number, errorMessage: string | null = null): Verdict<'ConsumerGroupHeartbeat'> {
  return { kind: 'answer', response: { errorCode, errorMessage } };
}
