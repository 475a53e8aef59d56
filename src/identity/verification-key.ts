import type { webcrypto } from 'node:crypto';
import { calculateJwkThumbprint, importJWK } from 'jose';
import type { JWK } from 'jose';
import type { JsonObject, JsonValue } from '../model/json.ts';
import { messageOf } from '../lib/errors.ts';
import { issuerKeysMax } from '../lib/limits.ts';
import { signatureAlgorithms } from './algorithms.ts';

/** One public key of an issuer, made ready for each algorithm it may verify. */
export interface VerificationKey {
  readonly keyId: string | undefined;
  /** RFC 7638, so that a key is known again however its set is ordered or its id changed. */
  readonly thumbprint: string;
  readonly byAlgorithm: ReadonlyMap<string, webcrypto.CryptoKey>;
}

const rsaModulusBitsMin = 2_048;

/**
 * Reads a key set (RFC 7517 §5). A key that is not for verifying signatures, or of no use to `algorithms`, is passed
 * over silently; one that is broken, too weak or not public is passed over and reported.
 *
 * @throws Error where the document is not a key set or holds more than `issuerKeysMax` keys
 */
export async function readKeySet(
  document: JsonObject,
  algorithms: readonly string[],
  report: (keyId: string | undefined, problem: string) => void,
): Promise<readonly VerificationKey[]> {
  const listed: JsonValue | undefined = document['keys'];
  if (!Array.isArray(listed)) throw new Error('it is not a key set: it has no list `keys`');
  if (listed.length > issuerKeysMax)
    throw new Error(`it has ${listed.length} keys; at most ${issuerKeysMax} are taken`);
  const keys: VerificationKey[] = [];
  for (const entry of listed as readonly JsonValue[]) {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) continue;
    const jwk = entry as JsonObject;
    const keyId = typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined;
    try {
      const key = await readKey(jwk, keyId, algorithms);
      if (key !== undefined) keys.push(key);
    } catch (thrown) {
      report(keyId, messageOf(thrown));
    }
  }
  return keys;
}

async function readKey(
  jwk: JsonObject,
  keyId: string | undefined,
  algorithms: readonly string[],
): Promise<VerificationKey | undefined> {
  const fitting = algorithms.filter((algorithm) => fits(jwk, algorithm));
  if (fitting.length === 0) return undefined;
  if (jwk['d'] !== undefined) throw new Error('it is a private key; the issuer has published a secret');
  const material = publicPart(jwk);
  const byAlgorithm = new Map<string, webcrypto.CryptoKey>();
  for (const algorithm of fitting) {
    const key = (await importJWK(material, algorithm)) as webcrypto.CryptoKey;
    const { modulusLength } = key.algorithm as { modulusLength?: number };
    if (modulusLength !== undefined && modulusLength < rsaModulusBitsMin) {
      // RFC 7518 §3.3: a key of 2048 bits or larger MUST be used.
      throw new Error(`it is an RSA key of ${modulusLength} bits; at least ${rsaModulusBitsMin} are needed`);
    }
    byAlgorithm.set(algorithm, key);
  }
  return { keyId, thumbprint: await calculateJwkThumbprint(material), byAlgorithm };
}

/** RFC 7517 §4.2–4.4: `use`, `key_ops` and `alg`, where present, say what a key is for. */
function fits(jwk: JsonObject, algorithm: string): boolean {
  const needed = signatureAlgorithms.get(algorithm);
  if (needed === undefined || jwk['kty'] !== needed.kty) return false;
  if (needed.crv !== undefined && jwk['crv'] !== needed.crv) return false;
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return false;
  if (jwk['alg'] !== undefined && jwk['alg'] !== algorithm) return false;
  const operations = jwk['key_ops'];
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
}

/** Only the numbers of the key: no certificates, no addresses. */
function publicPart(jwk: JsonObject): JWK {
  const names = jwk['kty'] === 'RSA' ? ['kty', 'n', 'e'] : ['kty', 'crv', 'x', 'y'];
  const entries = names.filter((name) => typeof jwk[name] === 'string').map((name) => [name, jwk[name]]);
  return Object.fromEntries(entries) as JWK;
}
