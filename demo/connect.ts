/** How a user connects a client of their own while the demo stays up: files and commands ready to paste. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureKafka } from '../harness/kafka-release.ts';
import { type Stage, clients } from './stage.ts';

/** Writes the client files into the demo's folder. @returns the text to print */
export async function connectText(stage: Stage): Promise<string> {
  const { java, classpath } = await ensureKafka();
  const [writer, reader] = clients;
  for (const client of clients)
    writeFileSync(join(stage.folder, `${client.id}.properties`), javaProperties(stage, client));
  const tokenCommand = (client: { id: string; secret: string }): string =>
    `curl -s -u ${client.id}:${client.secret} -d grant_type=client_credentials ${stage.idp.tokenEndpoint} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'`;
  const kcat = `kcat -b ${stage.bootstrap} -X security.protocol=SASL_PLAINTEXT -X sasl.mechanisms=PLAIN -X sasl.username=token -X sasl.password="$TOKEN"`;
  const jvm = `${java} -cp '${classpath}' -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${stage.idp.tokenEndpoint}`;
  return `
Everything stays up until Ctrl-C. Connect your own client to ${stage.bootstrap}:

kcat, with a token as the PLAIN password
  TOKEN=$(${tokenCommand(writer)})
  echo 'order-1:{"cents":100}' | ${kcat} -P -t payments -K:
  TOKEN=$(${tokenCommand(reader)})
  ${kcat} -G analytics-me payments
  ${kcat} -C -t payroll                      # denied

Java console tools, which fetch their tokens themselves
  ${jvm} org.apache.kafka.tools.ConsoleProducer --bootstrap-server ${stage.bootstrap} --topic payments --producer.config ${join(stage.folder, `${writer.id}.properties`)}
  ${jvm} org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server ${stage.bootstrap} --topic payments --group analytics-java --from-beginning --consumer.config ${join(stage.folder, `${reader.id}.properties`)}

kafkajs
  new Kafka({ clientId: 'me', brokers: ['${stage.bootstrap}'],
              sasl: { mechanism: 'plain', username: 'token', password: process.env.TOKEN } })

Edit a policy and see it live   ${join(stage.folder, 'policies')}
Follow the audit log            tail -f ${join(stage.folder, 'audit')}/*.jsonl
The gateway's configuration     ${join(stage.folder, 'sluice.yaml')}
Metrics and readiness           ${stage.telemetry}/metrics  ${stage.telemetry}/readyz
`;
}

function javaProperties(stage: Stage, client: { readonly id: string; readonly secret: string }): string {
  return `security.protocol=SASL_PLAINTEXT
sasl.mechanism=OAUTHBEARER
sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler
sasl.oauthbearer.token.endpoint.url=${stage.idp.tokenEndpoint}
sasl.oauthbearer.client.credentials.client.id=${client.id}
sasl.oauthbearer.client.credentials.client.secret=${client.secret}
sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
`;
}
