/** The audit log as the gateway opens it: with a way into topics, for checkpoints that go into one. */
import { openAuditLog } from '../audit/audit.ts';
import type { OwnedAuditLog, TopicSender } from '../audit/audit.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Settings } from '../model/settings.ts';
import { createTopicWriter } from '../ports/kafka/kafka.ts';
import type { TopicWriter } from '../ports/kafka/kafka.ts';
import type { Started } from '../process/process.ts';

/** Opens it and leaves closing it to `started`. @throws as `openAuditLog` */
export async function openOwnAuditLog(
  settings: Settings,
  parts: { readonly clock: Clock; readonly logger: Logger },
  started: Started,
): Promise<OwnedAuditLog> {
  const topics = topicSender(settings);
  // Closed last: the log's last checkpoint is still to go.
  started.push(() => topics.close());
  const { gatewayId } = settings;
  const audit = await openAuditLog({ ...settings.audit, ...parts, gatewayId, sendToTopic: topics.send });
  started.push(() => audit.close());
  return audit;
}

/** Writes into topics through the upstreams of the settings' ports, on the gateway's own credentials. */
export function topicSender(settings: Settings): { readonly send: TopicSender; readonly close: () => void } {
  const writers = new Map<string, TopicWriter>();
  const writerFor = (name: string): TopicWriter => {
    const known = writers.get(name);
    if (known !== undefined) return known;
    const port = settings.ports.find((each) => each.name === name);
    if (port === undefined) throw new SluiceError('unknown-port', `There is no port "${name}".`);
    const writer = createTopicWriter(port.upstream);
    writers.set(name, writer);
    return writer;
  };
  return {
    send: async (port, topic, records) => writerFor(port).write(topic, records),
    close: () => writers.forEach((writer) => writer.close()),
  };
}
