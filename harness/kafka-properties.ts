import type { CertificateFiles } from './certificates.ts';
import type { KafkaOptions, ListenerKind, NodePorts, User } from './kafka-options.ts';

/** What the properties of one node are made of. */
export interface NodePlan {
  id: number;
  nodes: number;
  ports: NodePorts;
  controllerPort: number;
  dataFolder: string;
  release: string;
  options: KafkaOptions;
  /** Needed for listeners with TLS. */
  tls?: { caFile: string; files: CertificateFiles };
}

const protocols: Record<ListenerKind, string> = {
  plaintext: 'PLAINTEXT',
  sasl: 'SASL_PLAINTEXT',
  tls: 'SSL',
  'sasl-tls': 'SASL_SSL',
  mtls: 'SSL',
};

/** The `server.properties` of one node. */
export function propertiesOf(plan: NodePlan): string {
  const properties: Record<string, string> = {
    ...listenerProperties(plan),
    ...storageProperties(plan),
    ...(plan.tls === undefined ? {} : tlsProperties(plan.tls)),
    ...saslProperties(plan),
    ...(plan.options.acls === true ? aclProperties(plan.options) : {}),
    ...plan.options.config,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}

function listenerName(kind: ListenerKind): string {
  return kind.toUpperCase().replace('-', '_');
}

function listenerProperties({ id, ports, options, controllerPort }: NodePlan): Record<string, string> {
  const isController = id === 0;
  const bound = [`INTERNAL://127.0.0.1:${ports.internal}`];
  const advertised = [...bound];
  const map = ['INTERNAL:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  for (const [kind, port] of ports.clients) {
    const own = `127.0.0.1:${port}`;
    bound.push(`${listenerName(kind)}://${own}`);
    advertised.push(`${listenerName(kind)}://${options.advertise?.(kind, id) ?? own}`);
    map.push(`${listenerName(kind)}:${protocols[kind]}`);
  }
  if (isController) bound.push(`CONTROLLER://127.0.0.1:${controllerPort}`);
  return {
    'process.roles': isController ? 'broker,controller' : 'broker',
    'node.id': String(id),
    'broker.rack': `rack-${id}`,
    'controller.quorum.voters': `0@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    listeners: bound.join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': map.join(','),
  };
}

function storageProperties({ dataFolder, nodes, release, options }: NodePlan): Record<string, string> {
  const replicas = String(nodes);
  const inSync = nodes === 1 ? '1' : '2';
  const share =
    major(release) < 4
      ? {}
      : {
          'share.coordinator.state.topic.replication.factor': replicas,
          'share.coordinator.state.topic.min.isr': inSync,
          'share.coordinator.state.topic.num.partitions': '2',
        };
  return {
    'log.dirs': dataFolder,
    'auto.create.topics.enable': String(options.autoCreateTopics ?? false),
    'num.partitions': '1',
    'default.replication.factor': replicas,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    ...share,
    // share and streams groups are on by their feature levels in 4.2; the protocols need naming only before 4.0
    ...(major(release) < 4 ? { 'group.coordinator.rebalance.protocols': 'classic,consumer' } : {}),
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.flush.scheduler.interval.ms': '9223372036854775807',
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '6000',
  };
}

function tlsProperties({ caFile, files }: { caFile: string; files: CertificateFiles }): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': files.keyStoreFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': caFile,
    'ssl.client.auth': 'none',
    'listener.name.mtls.ssl.client.auth': 'required',
  };
}

function saslProperties({ ports, options }: NodePlan): Record<string, string> {
  const properties: Record<string, string> = {};
  const mechanisms = [
    'PLAIN',
    'SCRAM-SHA-256',
    'SCRAM-SHA-512',
    ...(options.oauth === undefined ? [] : ['OAUTHBEARER']),
  ];
  for (const kind of ports.clients.keys()) {
    if (kind !== 'sasl' && kind !== 'sasl-tls') continue;
    const prefix = listenerPrefix(kind);
    properties[`${prefix}.sasl.enabled.mechanisms`] = mechanisms.join(',');
    properties[`${prefix}.plain.sasl.jaas.config`] = plainJaas(options.users ?? []);
    for (const hash of ['256', '512']) {
      properties[`${prefix}.scram-sha-${hash}.sasl.jaas.config`] =
        'org.apache.kafka.common.security.scram.ScramLoginModule required;';
    }
    if (options.oauth !== undefined) Object.assign(properties, oauthProperties(prefix, options.oauth));
  }
  return properties;
}

function oauthProperties(prefix: string, oauth: NonNullable<KafkaOptions['oauth']>): Record<string, string> {
  const base = `${prefix}.oauthbearer`;
  const bearer = 'org.apache.kafka.common.security.oauthbearer';
  return {
    [`${base}.sasl.jaas.config`]: `${bearer}.OAuthBearerLoginModule required;`,
    [`${base}.sasl.server.callback.handler.class`]: `${bearer}.OAuthBearerValidatorCallbackHandler`,
    [`${base}.sasl.oauthbearer.jwks.endpoint.url`]: oauth.jwksUrl,
    [`${base}.sasl.oauthbearer.expected.issuer`]: oauth.issuer,
    [`${base}.sasl.oauthbearer.expected.audience`]: oauth.audience,
  };
}

/** The prefix of a listener's own properties. */
function listenerPrefix(kind: ListenerKind): string {
  return `listener.name.${listenerName(kind).toLowerCase()}`;
}

/** The JAAS line that lists the users of SASL PLAIN. */
function plainJaas(users: readonly User[]): string {
  const entries = users.map(({ name, password }) => ` user_${name}=${quoted(password)}`);
  return `org.apache.kafka.common.security.plain.PlainLoginModule required${entries.join('')};`;
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function aclProperties(options: KafkaOptions): Record<string, string> {
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': ['User:ANONYMOUS', ...(options.superUsers ?? [])].join(';'),
    'allow.everyone.if.no.acl.found': 'false',
  };
}

function major(version: string): number {
  return Number(version.split('.')[0]);
}
