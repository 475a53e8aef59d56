/**
 * StreamsGroupHeartbeat (key 88, KIP-1071). READ on the group, else 30; DESCRIBE on every topic of the topology, where
 * the request carries one, else 29 for the whole.
 *
 * The broker creates the topology's internal topics (repartition and changelog) that are missing, in the name of the
 * principal that asks, which behind the gateway is the gateway. So CREATE on the cluster or on each missing one is
 * asked here. A broker would take the member in and report the topics as missing; the gateway, which cannot make a
 * broker hold back, answers 29 and names them. Internal topics that exist already ask for no CREATE.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type StreamsGroupHeartbeatRequestTopology,
  type StreamsGroupHeartbeatResponse,
  errorCodes,
} from '../protocol/protocol.ts';
import { mayDescribeAll } from './described-topics.ts';
import type { ApiHandler, Exchange, RequestAccess, Verdict } from './handler.ts';

export const streamsGroupHeartbeat: ApiHandler<'StreamsGroupHeartbeat'> = {
  name: 'StreamsGroupHeartbeat',
  versions: { min: 0, max: 0 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  async handle(exchange) {
    const { request, access } = exchange;
    if (!access.may('read', 'group', request.groupId)) {
      return refused(errorCodes.GROUP_AUTHORIZATION_FAILED, null);
    }
    const refusal = request.topology === null ? null : await refusalOfTopology(exchange, request.topology);
    return refusal ?? { kind: 'forward', onResponse: (response) => leaveOutHidden(response, access) };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};

async function refusalOfTopology(
  { access, cluster }: Exchange<'StreamsGroupHeartbeat'>,
  { subtopologies }: StreamsGroupHeartbeatRequestTopology,
): Promise<Verdict<'StreamsGroupHeartbeat'> | null> {
  if (subtopologies.some(({ sourceTopicRegex }) => sourceTopicRegex.length > 0)) {
    access.refused('streams-topic-regex', 'a topology that names its source topics by a regular expression');
    return refused(errorCodes.INVALID_REQUEST, 'Regular expressions for source topics are not supported yet.');
  }
  const internal = new Set(
    subtopologies.flatMap((part) =>
      [...part.repartitionSourceTopics, ...part.stateChangelogTopics].map(({ name }) => name),
    ),
  );
  const all = new Set([
    ...subtopologies.flatMap((part) => [...part.sourceTopics, ...part.repartitionSinkTopics]),
    ...internal,
  ]);
  if (!mayDescribeAll(all, access)) return refused(errorCodes.TOPIC_AUTHORIZATION_FAILED, null);
  if (access.sees('create', 'cluster', clusterName)) return null;
  const forbidden = [...internal].filter((name) => !access.sees('create', 'topic', name));
  const missing = [...(await cluster.missingTopics(forbidden))];
  if (missing.length === 0) return null;
  for (const name of missing) access.may('create', 'topic', name);
  return refused(
    errorCodes.TOPIC_AUTHORIZATION_FAILED,
    `Internal topics are missing. Unauthorized to CREATE on topics ${missing.join(', ')}.`,
  );
}

/** Which member serves which partitions of which topics: another member may have brought topics that this one may not see. */
function leaveOutHidden({ partitionsByUserEndpoint }: StreamsGroupHeartbeatResponse, access: RequestAccess): boolean {
  let changed = false;
  for (const endpoint of partitionsByUserEndpoint ?? []) {
    for (const list of ['activePartitions', 'standbyPartitions'] as const) {
      const visible = endpoint[list].filter(({ topic }) => access.sees('describe', 'topic', topic));
      changed ||= visible.length !== endpoint[list].length;
      endpoint[list] = visible;
    }
  }
  return changed;
}

function refused(errorCode: number, errorMessage: string | null): Verdict<'StreamsGroupHeartbeat'> {
  return { kind: 'answer', response: { errorCode, errorMessage } };
}
