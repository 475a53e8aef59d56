/** What workers say of ports and issuers, as if one process said it. */
import type { Settings } from '../model/settings.ts';
import type { WorkerStateReport } from './messages.ts';

type PortState = WorkerStateReport['ports'][number];
type IssuerState = WorkerStateReport['issuers'][number];

/** Ready is what is ready everywhere: a connection may land with any worker. */
export function mergedPorts(settings: Settings, states: readonly WorkerStateReport[]): readonly PortState[] {
  return settings.ports.map(({ name }): PortState => {
    const all = states.flatMap(({ ports }) => ports.filter((port) => port.name === name));
    const lacking = all.find(({ ready }) => !ready);
    return {
      name,
      ready: all.length > 0 && lacking === undefined,
      detail: (lacking ?? all[0])?.detail ?? 'no worker is up',
      connections: all.reduce((sum, { connections }) => sum + connections, 0),
      brokers: Math.max(0, ...all.map(({ brokers }) => brokers)),
    };
  });
}

export function mergedIssuers(states: readonly WorkerStateReport[]): readonly IssuerState[] {
  const byName = new Map<string, IssuerState[]>();
  for (const { issuers } of states)
    for (const issuer of issuers) byName.set(issuer.issuer, [...(byName.get(issuer.issuer) ?? []), issuer]);
  return Array.from(byName, ([issuer, all]): IssuerState => {
    const ages = all.flatMap(({ keysAgeMs }) => keysAgeMs ?? []);
    return {
      issuer,
      usable: all.every(({ usable }) => usable),
      keys: Math.min(...all.map(({ keys }) => keys)),
      keysAgeMs: ages.length === 0 ? null : Math.max(...ages),
    };
  });
}
