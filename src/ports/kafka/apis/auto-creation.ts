/**
 * Whether the brokers create a topic for being asked about it (`auto.create.topics.enable`). Where they do, they answer
 * 29 to who may describe a missing topic but not create it; where they do not, they say that it is missing. Clients
 * give up on the first and go on trying after the second, so the gateway has to know.
 */
import type { ClusterView } from '../cluster.ts';

const brokerResource = 4;
const configName = 'auto.create.topics.enable';
const describeConfigsVersion = 4;
/** It changes with a restart of the brokers only. */
const keepMs = 300_000;

const known = new WeakMap<ClusterView, { readonly creates: boolean; readonly untilMs: number }>();

/** @returns true also where the brokers do not tell: it is their default */
export async function brokersCreateTopics(cluster: ClusterView, nowMs: number = Date.now()): Promise<boolean> {
  const last = known.get(cluster);
  if (last !== undefined && nowMs < last.untilMs) return last.creates;
  const connection = await cluster.own();
  // A broker answers for itself alone, and which one the connection leads to is not known here.
  const { results } = await connection.request('DescribeConfigs', describeConfigsVersion, {
    resources: cluster.nodeIds().map((nodeId) => ({
      resourceType: brokerResource,
      resourceName: String(nodeId),
      configurationKeys: [configName],
    })),
  });
  const creates = !results.some(({ configs }) => configs.some(({ value }) => value === 'false'));
  known.set(cluster, { creates, untilMs: nowMs + keepMs });
  return creates;
}
