/** kafkajs as a stock application uses it, with a token of the scene's IdP. */
import { type Kafka as KafkaClient, Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import type { Idp } from './idp.ts';

/** @param who a client of the IdP; a fresh token is fetched whenever kafkajs asks for one */
export function kafkajsClient(
  bootstrap: string,
  idp: Idp,
  who: string,
  config: Partial<KafkaConfig> = {},
): KafkaClient {
  return new Kafka({
    clientId: who,
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1_000 },
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await idp.token(who) }) },
    ...config,
  });
}
