/** Where the test IdP keeps its codes and grants: in memory, shared by the providers that follow one another when keys rotate. */
import type { Adapter, AdapterPayload } from 'oidc-provider';

interface Kept {
  payload: AdapterPayload;
  readonly expiresAtMs: number;
}

/** Makes the adapters that oidc-provider asks for by model name; all of them share one map. */
export function memoryAdapterFactory(): (model: string) => Adapter {
  const kept = new Map<string, Kept>();
  return (model) => adapterFor(model, kept);
}

function adapterFor(model: string, kept: Map<string, Kept>): Adapter {
  const keyOf = (id: string): string => `${model}:${id}`;
  const live = (key: string): AdapterPayload | undefined => {
    const entry = kept.get(key);
    if (entry !== undefined && entry.expiresAtMs > Date.now()) return entry.payload;
    kept.delete(key);
    return undefined;
  };
  const findBy = (field: 'userCode' | 'uid', value: string): AdapterPayload | undefined => {
    for (const key of kept.keys()) {
      if (key.startsWith(`${model}:`) && kept.get(key)?.payload[field] === value) return live(key);
    }
    return undefined;
  };
  return {
    async upsert(id, payload, expiresIn) {
      kept.set(keyOf(id), {
        payload,
        expiresAtMs: expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000,
      });
    },
    find: async (id) => live(keyOf(id)),
    findByUserCode: async (userCode) => findBy('userCode', userCode),
    findByUid: async (uid) => findBy('uid', uid),
    async consume(id) {
      const payload = live(keyOf(id));
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      kept.delete(keyOf(id));
    },
    async revokeByGrantId(grantId) {
      for (const [key, entry] of kept) if (entry.payload.grantId === grantId) kept.delete(key);
    },
  };
}
