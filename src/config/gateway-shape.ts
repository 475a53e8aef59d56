/** The shape of `sluice.yaml` as a whole. */
import { availableParallelism, hostname } from 'node:os';
import * as z from 'zod';
import { principalKinds } from '../model/principal.ts';
import type { ClaimMapping, IssuerSettings, Settings, TelemetrySettings } from '../model/settings.ts';
import { audit } from './audit-shape.ts';
import { defined } from './defined.ts';
import { isSecureUrl, kafkaPort } from './port-shape.ts';
import { recording } from './recording-shape.ts';
import { duration, filePath, hostPort, listOf, name, oneOrMore, section, text, word } from './shape.ts';

const hourMs = 3_600_000;

/** Signature algorithms with a public key. With HMAC, whoever can check a token can make one: a gateway takes none. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;

const anyOrder: { algorithms: [string, ...string[]] } = { algorithms: ['RS256', 'ES256'] };

/** The whole file, with the paths in it made absolute against `base`. */
export function gateway(base: string): z.ZodType<Settings> {
  return section({
    apiVersion: word(['sluice/v1']),
    kind: word(['Gateway']),
    gatewayId: z
      .string({ error: 'Write a name.' })
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'Use letters, digits, dots, hyphens and underscores, at most 128.')
      .default(() => hostname()),
    workers: workers.default(1),
    ports: z
      .array(kafkaPort(base), { error: 'Write a list of ports.' })
      .min(1, 'Define at least one port.')
      .max(100, 'Define at most 100 ports.'),
    identity: section({ issuers: listOf(issuer(base), 'issuers').default([]) }).prefault({}),
    policies: filePath(base),
    audit: audit(base).prefault({}),
    recording: recording(base).prefault({}),
    telemetry: telemetry.prefault({}),
    drainTimeout: duration(0, hourMs).default(30_000),
  }).transform((input): Settings => ({
    gatewayId: input.gatewayId,
    workers: input.workers,
    ports: input.ports,
    issuers: input.identity.issuers,
    policyDirectory: input.policies,
    audit: input.audit,
    recording: input.recording,
    telemetry: input.telemetry,
    drainTimeoutMs: input.drainTimeout,
  }));
}

/** `auto` is one for each core that this process may use. */
const workers: z.ZodType<number> = z
  .union([z.literal('auto'), z.int().min(1).max(64)], {
    error: 'Write how many processes serve clients, from 1 to 64, or auto for one on each core.',
  })
  .transform((wanted) => (wanted === 'auto' ? availableParallelism() : wanted));

function issuer(base: string): z.ZodType<IssuerSettings> {
  return section({
    name,
    issuer: text.refine(
      isSecureUrl,
      'Write the issuer\'s https address exactly as its tokens carry it in "iss" (http is taken for localhost only).',
    ),
    audience: oneOrMore('the audience that tokens for this gateway carry'),
    algorithms: z
      .array(
        z.enum(algorithms, {
          error: `Write some of ${algorithms.join(', ')}. Algorithms with a shared secret (HS…) and "none" are never accepted.`,
        }),
      )
      .min(1, 'Name at least one algorithm.')
      .default([...anyOrder.algorithms] as ['RS256', 'ES256']),
    jwksUri: text.refine(isSecureUrl, 'Write an https address (http is taken for localhost only).').optional(),
    ca: filePath(base).optional(),
    claims: claims.prefault({}),
    require: z
      .record(text, oneOrMore('the values that the claim may have'), { error: 'Write a map from claim to values.' })
      .default({}),
    clockLeeway: duration(0, 300_000).default(30_000),
    keysMaxAge: duration(60_000, 30 * 24 * hourMs).default(24 * hourMs),
  }).transform((input): IssuerSettings => {
    const [first, ...rest] = input.algorithms;
    return {
      name: input.name,
      issuer: input.issuer,
      audiences: input.audience,
      algorithms: [first ?? anyOrder.algorithms[0], ...rest],
      clockLeewayMs: input.clockLeeway,
      keysMaxAgeMs: input.keysMaxAge,
      mapping: input.claims,
      requiredClaims: input.require,
      ...defined({ jwksUri: input.jwksUri, caFile: input.ca }),
    };
  });
}

const kind = z.union(
  [
    word(principalKinds as ['user', 'workload', 'job', 'agent']).transform((value) => ({ value })),
    section({ claim: text }),
  ],
  { error: `Write one of ${principalKinds.join(', ')}, or { claim: NAME } where a claim says it.` },
);

const claims: z.ZodType<ClaimMapping, unknown> = section({
  id: text.default('sub'),
  groups: text.optional(),
  kind: kind.default({ value: 'workload' }),
}).transform((input) => ({ id: input.id, kind: input.kind, ...defined({ groups: input.groups }) }));

const telemetry: z.ZodType<TelemetrySettings, unknown> = section({
  listen: z
    .union([z.literal('off'), hostPort(0)], { error: 'Write host:port, such as 127.0.0.1:9464, or "off".' })
    .prefault('127.0.0.1:9464'),
  logLevel: word(['debug', 'info', 'warn', 'error']).default('info'),
}).transform((input) => ({ logLevel: input.logLevel, ...(input.listen === 'off' ? {} : { listen: input.listen }) }));
