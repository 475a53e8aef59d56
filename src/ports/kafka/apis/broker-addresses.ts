import type { AddressBook } from '../addresses.ts';

interface Addressed {
  nodeId: number;
  host: string;
  port: number;
}

/**
 * Puts the gateway's addresses in place of the brokers' own, in place. A broker that the settings leave no room for
 * is taken out: its real address must not reach a client, and any other would lead to the wrong broker.
 */
export function rewriteBrokers<T extends Addressed>(brokers: readonly T[], addresses: AddressBook): T[] {
  const kept: T[] = [];
  for (const broker of brokers) {
    const address = addresses.forNode(broker.nodeId);
    if (address === null) continue;
    broker.host = address.host;
    broker.port = address.port;
    kept.push(broker);
  }
  return kept;
}
