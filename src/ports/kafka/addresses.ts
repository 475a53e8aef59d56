import type { AdvertiseSettings, HostPort } from '../../model/settings.ts';

/** Turns broker node ids into the addresses at which clients reach them through the gateway, and back. */
export interface AddressBook {
  /** `null` for a node that the settings leave no room for: it must not be advertised. */
  forNode(nodeId: number): HostPort | null;
  /** Where clients first connect. */
  readonly bootstrap: HostPort;
}

/** KRaft forwards administration to the controller by itself, so an address that is stable per node id is all it takes. */
export function createAddressBook(advertise: AdvertiseSettings, bootstrapPort: number): AddressBook {
  if (advertise.mode === 'ports') {
    return {
      bootstrap: { host: advertise.host, port: bootstrapPort },
      forNode(nodeId) {
        const index = nodeId - advertise.firstNodeId;
        if (index < 0 || index >= advertise.count) return null;
        return { host: advertise.host, port: advertise.firstPort + index };
      },
    };
  }
  return {
    bootstrap: { host: advertise.bootstrapHost, port: advertise.port },
    forNode(nodeId) {
      if (nodeId < 0) return null;
      return { host: hostForNode(advertise.hostPattern, nodeId), port: advertise.port };
    },
  };
}

/** The name that stands for a node: `broker-$(nodeId).example.com`. */
function hostForNode(pattern: string, nodeId: number): string {
  return pattern.replaceAll('$(nodeId)', String(nodeId));
}

/**
 * Which node an SNI name asks for. Names compare without case (RFC 6066 §3).
 * @returns the node id, `'bootstrap'`, or `null` for a name that is none of the port's
 */
export function nodeForServerName(
  advertise: Extract<AdvertiseSettings, { mode: 'sni' }>,
  serverName: string,
): number | 'bootstrap' | null {
  const name = serverName.toLowerCase();
  if (name === advertise.bootstrapHost.toLowerCase()) return 'bootstrap';
  const [before = '', after = ''] = advertise.hostPattern.toLowerCase().split('$(nodeid)');
  if (!name.startsWith(before) || !name.endsWith(after)) return null;
  const digits = name.slice(before.length, name.length - after.length);
  if (!/^(0|[1-9][0-9]{0,9})$/.test(digits)) return null;
  const nodeId = Number(digits);
  return nodeId <= 0x7fffffff ? nodeId : null;
}
