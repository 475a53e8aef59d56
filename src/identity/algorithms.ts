/** What a key must be to verify an algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864). Symmetric ones and `none` are not here on purpose. */
export interface AlgorithmKey {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
}

const rsa: AlgorithmKey = { kty: 'RSA' };
const ed25519: AlgorithmKey = { kty: 'OKP', crv: 'Ed25519' };

/** Every algorithm an issuer may be configured with. */
export const signatureAlgorithms: ReadonlyMap<string, AlgorithmKey> = new Map([
  ['RS256', rsa],
  ['RS384', rsa],
  ['RS512', rsa],
  ['PS256', rsa],
  ['PS384', rsa],
  ['PS512', rsa],
  ['ES256', { kty: 'EC', crv: 'P-256' }],
  ['ES384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', { kty: 'EC', crv: 'P-521' }],
  ['EdDSA', ed25519],
  ['Ed25519', ed25519],
]);
