/** What must hold between the sections of `sluice.yaml`. Pure; files are looked at in `file-checks.ts`. */
import type { HostPort, KafkaPortSettings, Settings } from '../model/settings.ts';
import type { KeyPath, PlacedProblem } from './problem.ts';

export function crossCheck(settings: Settings): readonly PlacedProblem[] {
  return [
    ...duplicateNames(settings.ports),
    ...settings.ports.flatMap((port, index) => checkPort(port, index, settings)),
    ...overlaps(settings),
    ...checkPush(settings),
  ];
}

function checkPush({ audit, ports }: Settings): readonly PlacedProblem[] {
  const port = audit.checkpoint.push?.kafka?.port;
  if (port === undefined || ports.some(({ name }) => name === port)) return [];
  return [
    {
      at: ['audit', 'checkpoint', 'push', 'kafka', 'port'],
      message: `There is no port named "${port}". Name the port whose upstream has the topic.`,
    },
  ];
}

function duplicateNames(ports: readonly KafkaPortSettings[]): readonly PlacedProblem[] {
  return ports.flatMap((port, index) =>
    ports.findIndex((other) => other.name === port.name) < index
      ? [
          {
            at: ['ports', index, 'name'],
            message: `There is another port named "${port.name}". Policies name it: give each its own name.`,
          },
        ]
      : [],
  );
}

function checkPort(port: KafkaPortSettings, index: number, settings: Settings): readonly PlacedProblem[] {
  const problems: PlacedProblem[] = [];
  const add = (key: KeyPath, message: string): void => void problems.push({ at: ['ports', index, ...key], message });
  const { tls } = port.listen;
  const { mechanisms, allowTokensWithoutTls, certificates } = port.authentication;
  const takesTokens = mechanisms.length > 0;
  if (takesTokens && tls === undefined && !allowTokensWithoutTls) {
    add(
      ['authentication'],
      'Tokens would cross the network in the clear: give this port tls, or set authentication.allowTokensWithoutTls: true where something else protects the way (a mesh, loopback).',
    );
  }
  if (takesTokens && settings.issuers.length === 0) {
    add(
      ['authentication', 'mechanisms'],
      'This port takes tokens, but identity.issuers names nobody who issues them. Add an issuer, or set mechanisms: [] for client certificates only.',
    );
  }
  const takesCertificates = tls !== undefined && tls.clientAuth !== 'none';
  if (!takesTokens && (!takesCertificates || certificates.length === 0)) {
    add(
      ['authentication'],
      'Nobody could authenticate here: offer mechanisms, or give tls.clientCa and authentication.certificates to map client certificates.',
    );
  }
  if (certificates.length > 0 && !takesCertificates) {
    add(
      ['authentication', 'certificates'],
      'Client certificates are mapped but never asked for: give tls.clientCa, and clientAuth optional or required.',
    );
  }
  if (port.advertise.mode === 'sni' && tls === undefined) {
    add(
      ['advertise', 'sni'],
      'A TLS name per broker needs TLS on this port: without it a client sends no name. Give the port tls, or advertise one port per broker.',
    );
  }
  if (
    port.advertise.mode === 'sni' &&
    port.advertise.bootstrapHost === sampleBrokerHost(port.advertise.hostPattern, port.advertise.bootstrapHost)
  ) {
    add(
      ['advertise', 'bootstrap'],
      'The bootstrap name is also the name of a broker. Give it a name that the pattern cannot make.',
    );
  }
  return problems;
}

/** The broker name that the bootstrap name would be taken for, or the empty text. */
function sampleBrokerHost(pattern: string, host: string): string {
  const [before = '', after = ''] = pattern.split('$(nodeId)');
  const middle =
    host.startsWith(before) && host.endsWith(after) ? host.slice(before.length, host.length - after.length) : '';
  return /^\d+$/.test(middle) ? before + middle + after : '';
}

interface Claim {
  readonly at: KeyPath;
  readonly what: string;
  readonly host: string;
  readonly first: number;
  readonly last: number;
}

/** Two listeners on one TCP port, broker ranges included: named before the operating system does, and with both places. */
function overlaps(settings: Settings): readonly PlacedProblem[] {
  const claims: Claim[] = settings.ports.flatMap((port, index) => claimsOf(port, index));
  const { listen } = settings.telemetry;
  if (listen !== undefined) claims.push(single(listen, ['telemetry', 'listen'], 'the telemetry listener'));
  const bound = claims.filter((claim) => claim.first !== 0);
  return bound.flatMap((claim, index) => {
    const other = bound.slice(0, index).find((earlier) => collide(earlier, claim));
    if (other === undefined) return [];
    const shared = Math.max(other.first, claim.first);
    return [{ at: claim.at, message: `TCP port ${shared} is taken twice: by ${claim.what} and by ${other.what}.` }];
  });
}

function claimsOf(port: KafkaPortSettings, index: number): readonly Claim[] {
  const own = single(port.listen, ['ports', index, 'listen'], `the listener of port "${port.name}"`);
  if (port.advertise.mode === 'sni') return [own];
  const { firstPort, count } = port.advertise;
  return [
    own,
    {
      at: ['ports', index, 'advertise', 'ports'],
      what: `the broker ports of port "${port.name}"`,
      host: port.listen.host,
      first: firstPort,
      last: firstPort + count - 1,
    },
  ];
}

function single(address: HostPort, at: KeyPath, what: string): Claim {
  return { at, what, host: address.host, first: address.port, last: address.port };
}

function collide(a: Claim, b: Claim): boolean {
  const wildcards = ['0.0.0.0', '::', '*'];
  const sameHost = a.host === b.host || wildcards.includes(a.host) || wildcards.includes(b.host);
  return sameHost && a.first <= b.last && b.first <= a.last;
}
