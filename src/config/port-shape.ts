/** The shape of one entry of `ports` in `sluice.yaml`. */
import * as z from 'zod';
import { principalKinds } from '../model/principal.ts';
import type {
  AdvertiseSettings,
  CertificateMapping,
  ClientTlsSettings,
  HostPort,
  KafkaAuthenticationSettings,
  KafkaPortSettings,
  ServerTlsSettings,
  UpstreamSaslSettings,
  UpstreamSettings,
} from '../model/settings.ts';
import { defined } from './defined.ts';
import {
  duration,
  filePath,
  flag,
  hostPort,
  hostPortText,
  listOf,
  name,
  portNumber,
  secret,
  section,
  text,
  word,
} from './shape.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** Kafka clients close a connection themselves after 9 idle minutes (`connections.max.idle.ms` = 540000). */
const idleTimeoutMinMs = 9 * minuteMs;
const idleWhy =
  'Kafka clients keep idle connections for 9 minutes; a gateway that closes them sooner makes clients send on connections that are gone.';

/** A Kafka port, with the paths in it made absolute against `base`. */
export function kafkaPort(base: string): z.ZodType<KafkaPortSettings> {
  return section({
    name,
    protocol: word(['kafka']),
    listen: listen(base),
    tls: serverTls(base).optional(),
    advertise,
    upstream: upstream(base),
    authentication: authentication.prefault({}),
    idleTimeout: duration(idleTimeoutMinMs, 24 * hourMs, idleWhy).default(10 * minuteMs),
  }).transform((input, context): KafkaPortSettings => {
    const tls = input.listen.tls ?? input.tls;
    if (input.listen.tls !== undefined && input.tls !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: 'TLS is given twice: keep it here or under listen, not both.',
      });
    }
    const { host, port, proxyProtocol } = input.listen;
    return {
      name: input.name,
      protocol: input.protocol,
      listen: { host, port, proxyProtocol, ...defined({ tls }) },
      advertise:
        input.advertise.mode === 'sni' && input.advertise.port === 0 ? { ...input.advertise, port } : input.advertise,
      upstream: input.upstream,
      authentication: input.authentication,
      idleTimeoutMs: input.idleTimeout,
    };
  });
}

function listen(base: string): z.ZodType<HostPort & { tls?: ServerTlsSettings; proxyProtocol: 'off' | 'required' }> {
  const full = section({
    host: text,
    port: portNumber(0),
    tls: serverTls(base).optional(),
    proxyProtocol: word(['off', 'required']).default('off'),
  }).transform(({ host, port, tls, proxyProtocol }) => ({ host, port, proxyProtocol, ...defined({ tls }) }));
  const plain = hostPortText(0).transform((address) => ({ ...address, proxyProtocol: 'off' as const }));
  return z.union([plain, full], {
    error: 'Write host:port, such as 0.0.0.0:19092, or { host, port, tls, proxyProtocol }.',
  });
}

function serverTls(base: string): z.ZodType<ServerTlsSettings> {
  return section({
    cert: filePath(base),
    key: filePath(base),
    clientCa: filePath(base).optional(),
    clientAuth: word(['none', 'optional', 'required']).optional(),
  }).transform((input, context): ServerTlsSettings => {
    // Naming a CA for clients without saying more asks for the safer of the two: no certificate, no connection.
    const clientAuth = input.clientAuth ?? (input.clientCa === undefined ? 'none' : 'required');
    if (clientAuth !== 'none' && input.clientCa === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['clientAuth'],
        message: 'clientAuth needs clientCa, the CA that client certificates are held against.',
      });
    }
    return { certFile: input.cert, keyFile: input.key, clientAuth, ...defined({ clientCaFile: input.clientCa }) };
  });
}

function clientTls(base: string): z.ZodType<ClientTlsSettings | undefined> {
  const full = section({
    ca: filePath(base).optional(),
    cert: filePath(base).optional(),
    key: filePath(base).optional(),
    serverName: text.optional(),
  }).transform((input, context): ClientTlsSettings => {
    if ((input.cert === undefined) !== (input.key === undefined))
      context.addIssue('A client certificate needs both cert and key.');
    return defined({ caFile: input.ca, certFile: input.cert, keyFile: input.key, serverName: input.serverName });
  });
  return z.union([z.boolean().transform((on): ClientTlsSettings | undefined => (on ? {} : undefined)), full], {
    error: "Write true for TLS with the system's CAs, or { ca, cert, key, serverName }.",
  });
}

function upstream(base: string): z.ZodType<UpstreamSettings> {
  const bootstrap = z.union([z.string().transform((one) => [one]), z.array(z.unknown())], {
    error: 'Write host:port, or a list of them.',
  });
  return section({
    bootstrap: bootstrap.pipe(
      z
        .array(hostPort())
        .min(1, 'Name at least one broker, such as kafka-1:9092.')
        .max(100, 'Name at most 100 brokers.'),
    ),
    tls: clientTls(base).optional(),
    sasl: upstreamSasl(base).optional(),
  }).transform(({ bootstrap: brokers, tls, sasl }) => ({ bootstrap: brokers, ...defined({ tls, sasl }) }));
}

function upstreamSasl(base: string): z.ZodType<UpstreamSaslSettings> {
  const password = section({
    mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
    username: text,
    password: secret(base),
  });
  const oauth = section({
    mechanism: z.literal('OAUTHBEARER'),
    tokenUrl: text.refine(
      isSecureUrl,
      'Write an https address (http is taken for localhost only: the client secret travels over it).',
    ),
    clientId: text,
    clientSecret: secret(base),
    scope: text.optional(),
  }).transform(({ scope, ...rest }) => ({ ...rest, ...defined({ scope }) }));
  return z
    .unknown()
    .superRefine((input, context) => {
      const mechanism: unknown =
        typeof input === 'object' && input !== null && 'mechanism' in input ? input.mechanism : undefined;
      const known = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'];
      if (typeof mechanism === 'string' && known.includes(mechanism)) return;
      context.addIssue({
        code: 'custom',
        path: ['mechanism'],
        message: `Write one of ${known.join(', ')}.`,
        continue: false,
      });
    })
    .pipe(z.discriminatedUnion('mechanism', [password, oauth]));
}

const advertise: z.ZodType<AdvertiseSettings> = section({
  host: text.optional(),
  ports: z.string({ error: 'Write a range, such as 19093-19112.' }).optional(),
  firstNodeId: z
    .int({ error: 'Write the lowest node id of the brokers.' })
    .min(0, 'A node id is not negative.')
    .optional(),
  sni: text.optional(),
  bootstrap: text.optional(),
  port: portNumber().optional(),
}).transform((input, context): AdvertiseSettings => {
  const problem = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
  if (input.sni !== undefined) {
    for (const key of ['host', 'ports', 'firstNodeId'] as const) {
      if (input[key] !== undefined)
        problem(key, `"${key}" belongs to a port per broker and "sni" to a TLS name per broker: choose one.`);
    }
    if (input.sni.split('$(nodeId)').length !== 2)
      problem('sni', 'The name must hold $(nodeId) once, such as broker-$(nodeId).orders.example.com.');
    if (input.bootstrap === undefined)
      problem('bootstrap', 'Name the host that clients bootstrap from, such as orders.example.com.');
    // 0 stands for "as listen": it is filled in where the listener is known.
    return { mode: 'sni', hostPattern: input.sni, bootstrapHost: input.bootstrap ?? '', port: input.port ?? 0 };
  }
  for (const key of ['bootstrap', 'port'] as const) {
    if (input[key] !== undefined)
      problem(
        key,
        `"${key}" goes with "sni", a TLS name per broker. A port per broker takes host, ports and firstNodeId.`,
      );
  }
  if (input.host === undefined)
    problem('host', 'Name the host that clients reach this gateway under, or use sni for a TLS name per broker.');
  const range = parsePortRange(input.ports ?? '');
  if (range === null) problem('ports', 'Give a range with one port per broker, such as 19093-19112.');
  return {
    mode: 'ports',
    host: input.host ?? '',
    firstPort: range?.first ?? 0,
    count: range?.count ?? 0,
    firstNodeId: input.firstNodeId ?? 0,
  };
});

function parsePortRange(range: string): { first: number; count: number } | null {
  const match = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(range.trim());
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  return match !== null && first >= 1 && last <= 65_535 && last >= first ? { first, count: last - first + 1 } : null;
}

const certificate: z.ZodType<CertificateMapping> = section({
  from: word(['subject', 'san-dns', 'san-uri', 'san-email']),
  match: text,
  id: text.optional(),
  kind: word(principalKinds as ['user', 'workload', 'job', 'agent']).default('workload'),
  groups: listOf(text, 'group names').default([]),
}).transform(({ id, ...rest }) => ({ ...rest, ...defined({ id }) }));

const authentication = section({
  mechanisms: listOf(word(['OAUTHBEARER', 'PLAIN']), 'SASL mechanisms').default(['OAUTHBEARER', 'PLAIN']),
  allowTokensWithoutTls: flag.default(false),
  maxSessionLifetime: duration(10_000, 7 * 24 * hourMs).default(hourMs),
  certificates: listOf(certificate, 'certificate mappings').default([]),
}).transform((input): KafkaAuthenticationSettings => ({
  mechanisms: input.mechanisms,
  allowTokensWithoutTls: input.allowTokensWithoutTls,
  maxSessionLifetimeMs: input.maxSessionLifetime,
  certificates: input.certificates,
}));

/** https, or http to this machine itself. */
export function isSecureUrl(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, hash } = new URL(address);
  if (username !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));
}
