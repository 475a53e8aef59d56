import { pbkdf2Sync, randomBytes } from 'node:crypto';
import type { User } from './kafka-options.ts';

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
export const scramMechanisms: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];

/** What a broker keeps of a SCRAM password. `code` is the mechanism's number in AlterUserScramCredentials (KIP-554). */
export interface ScramCredential {
  mechanism: ScramMechanism;
  code: number;
  iterations: number;
  salt: Buffer;
  saltedPassword: Buffer;
}

const iterations = 4096;
const hashes = {
  'SCRAM-SHA-256': { code: 1, hash: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { code: 2, hash: 'sha512', bytes: 64 },
} as const;

export function scramCode(mechanism: ScramMechanism): number {
  return hashes[mechanism].code;
}

/** RFC 5802 section 3: SaltedPassword := Hi(Normalize(password), salt, i), and Hi is PBKDF2 with HMAC. */
export function scramCredential({ password }: User, mechanism: ScramMechanism): ScramCredential {
  const { code, hash, bytes } = hashes[mechanism];
  const salt = randomBytes(24);
  return {
    mechanism,
    code,
    iterations,
    salt,
    saltedPassword: pbkdf2Sync(password.normalize('NFKC'), salt, iterations, bytes, hash),
  };
}
