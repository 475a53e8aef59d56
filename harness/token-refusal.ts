/** What tests of refused tokens share. */
import assert from 'node:assert/strict';
import type { AuthenticationError, AuthenticationErrorCode, TokenVerifier } from '../src/identity/identity.ts';
import type { IssuerSettings } from '../src/model/settings.ts';

/** Settings for an issuer stub: audience `sluice`, no leeway, `sub` as a user's id. */
export function stubSettings(name: string, issuer: string): IssuerSettings {
  return {
    name,
    issuer,
    audiences: ['sluice'],
    algorithms: ['RS256', 'ES256'],
    clockLeewayMs: 0,
    keysMaxAgeMs: 3_600_000,
    mapping: { id: 'sub', kind: { value: 'user' } },
    requiredClaims: {},
  };
}

/** Claims that those settings take, good for an hour. */
export function stubClaims(issuer: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { iss: issuer, aud: 'sluice', sub: 'mallory', exp: Math.floor(Date.now() / 1_000) + 3_600, ...more };
}

/** The error a token is refused with. Fails where it is taken, refused for another reason, or its signature is repeated. */
export async function refusal(
  verifier: TokenVerifier,
  token: string,
  code: AuthenticationErrorCode,
): Promise<AuthenticationError> {
  const error = await verifier.verify(token).then(
    () => assert.fail(`the token was taken, though ${code} was expected`),
    (thrown: unknown) => thrown as AuthenticationError,
  );
  assert.equal(error.code, code, `${error.message} (${error.detail})`);
  const signature = token.split('.')[2] ?? '';
  for (const text of [error.message, error.detail]) {
    assert.ok(signature.length < 20 || !text.includes(signature), 'a message repeats the signature');
  }
  return error;
}
