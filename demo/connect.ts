/** How a user connects a client of their own while the demo stays up: files and commands ready to paste. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureKafka } from '../harness/kafka-release.ts';
import { type Stage, clients } from './stage.ts';

/** Writes the client files into the demo's folder. @returns the text to print */
export async function connectText(stage: Stage): Promise<string> {
  const [writer, reader] = clients;
  const producer = await javaScript(stage, writer, 'org.apache.kafka.tools.ConsoleProducer', '--topic payments');
  const consumer = await javaScript(
    stage,
    reader,
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    '--topic payments --group analytics-java --from-beginning',
  );
  const tokenCommand = (client: { id: string; secret: string }): string =>
    `curl -s -u ${client.id}:${client.secret} -d grant_type=client_credentials ${stage.idp.tokenEndpoint} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'`;
  const kcat = `kcat -b ${stage.bootstrap} -X security.protocol=SASL_PLAINTEXT -X sasl.mechanisms=PLAIN -X sasl.username=token -X sasl.password="$TOKEN"`;
  return `
Everything stays up until Ctrl-C. Connect your own client to ${stage.bootstrap}:

kcat, with a token as the PLAIN password
  TOKEN=$(${tokenCommand(writer)})
  echo 'order-1:{"cents":100}' | ${kcat} -P -t payments -K:
  TOKEN=$(${tokenCommand(reader)})
  ${kcat} -G analytics-me payments
  ${kcat} -C -t payroll                      # denied

Java's console tools, which fetch their tokens themselves (the scripts hold the whole command)
  ${producer}
  ${consumer}

kafkajs
  new Kafka({ clientId: 'me', brokers: ['${stage.bootstrap}'],
              sasl: { mechanism: 'plain', username: 'token', password: process.env.TOKEN } })

Edit a policy and see it live   ${join(stage.folder, 'policies')}
Follow the audit log            tail -f ${join(stage.folder, 'audit')}/*.jsonl
The gateway's configuration     ${join(stage.folder, 'sluice.yaml')}
Metrics and readiness           ${stage.telemetry}/metrics  ${stage.telemetry}/readyz
`;
}

interface Client {
  readonly id: string;
  readonly secret: string;
}

/** A script that runs one of Java's tools as a client of the IdP. @returns its path */
async function javaScript(stage: Stage, client: Client, tool: string, args: string): Promise<string> {
  const { java, classpath } = await ensureKafka();
  const properties = join(stage.folder, `${client.id}.properties`);
  writeFileSync(properties, javaProperties(stage, client));
  const jars = join(dirname(classpath.split(':')[0] ?? ''), '*');
  const script = join(stage.folder, `${tool.endsWith('Producer') ? 'produce' : 'consume'}.sh`);
  writeFileSync(
    script,
    `#!/bin/sh
exec ${java} -cp '${jars}' -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \\
  -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${stage.idp.tokenEndpoint} \\
  ${tool} --bootstrap-server ${stage.bootstrap} ${args} --command-config ${properties} "$@"
`,
    { mode: 0o755 },
  );
  return script;
}

function javaProperties(stage: Stage, client: Client): string {
  return `security.protocol=SASL_PLAINTEXT
sasl.mechanism=OAUTHBEARER
sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler
sasl.oauthbearer.token.endpoint.url=${stage.idp.tokenEndpoint}
sasl.oauthbearer.client.credentials.client.id=${client.id}
sasl.oauthbearer.client.credentials.client.secret=${client.secret}
sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
`;
}
