import type { PlacedProblem, SettingsCheck } from '../config/config.ts';
import { checkCertificateMappings, checkIssuers } from '../identity/identity.ts';
import type { Settings } from '../model/settings.ts';
import type { PolicyContext } from '../policy/policy.ts';

/** What policies are held against. */
export function policyContext(settings: Settings): PolicyContext {
  const ports = settings.ports.map(({ name, protocol }) => ({ name, protocol }));
  const issuers = settings.issuers.map(({ name, issuer, requiredClaims, mapping }) => ({
    name,
    issuer,
    requiredClaims,
    mapsGroups: mapping.groups !== undefined,
    ...('value' in mapping.kind && { kinds: [mapping.kind.value] }),
  }));
  return { ports, issuers, recording: settings.recording !== undefined };
}

/** What the identity part finds wrong in a configuration, each at its place. */
export const settingsChecks: readonly SettingsCheck[] = [
  (settings) => {
    const single = settings.issuers.flatMap((issuer, index) =>
      checkIssuers([issuer]).map((message) => ({ at: ['identity', 'issuers', index], message: sentence(message) })),
    );
    const known = new Set(single.map(({ message }) => message));
    const together = checkIssuers(settings.issuers)
      .map(sentence)
      .filter((message) => !known.has(message));
    const certificates = settings.ports.flatMap((port, portIndex) =>
      port.authentication.certificates.flatMap((mapping, index) =>
        checkCertificateMappings([mapping]).map((message): PlacedProblem => {
          return {
            at: ['ports', portIndex, 'authentication', 'certificates', index],
            message: sentence(message.replace(/^certificate rule 1: /, '')),
          };
        }),
      ),
    );
    return {
      problems: [...single, ...together.map((message) => ({ at: ['identity', 'issuers'], message })), ...certificates],
      warnings: [],
    };
  },
];

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`;
}
