/** The signing keys of the test IdP. */
import { exportJWK, generateKeyPair } from 'jose';
import type { JWK } from 'jose';

export type SigningAlgorithm = 'RS256' | 'ES256';

/** One private key per algorithm. */
export type KeyGeneration = Readonly<Record<SigningAlgorithm, JWK & { readonly kid: string }>>;

/** Makes a fresh pair of keys; `kid`s carry the generation's number, so that a test can read what it sees. */
export async function newKeys(generation: number): Promise<KeyGeneration> {
  const make = async (algorithm: SigningAlgorithm): Promise<JWK & { readonly kid: string }> => {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const kid = `${algorithm.toLowerCase()}-${generation}-${crypto.randomUUID().slice(0, 8)}`;
    return { ...(await exportJWK(privateKey)), alg: algorithm, use: 'sig', kid };
  };
  const [rsa, ec] = await Promise.all([make('RS256'), make('ES256')]);
  return { RS256: rsa, ES256: ec };
}
