import type { JsonObject } from '../model/json.ts';
import { messageOf } from '../lib/errors.ts';
import { tokenBytesMax } from '../lib/limits.ts';
import { AuthenticationError, printable } from './authentication-error.ts';
import { parseStrictObject } from './strict-json.ts';

/** A token's parts as they came. Nothing here has been verified; only `issuer` may be used, to choose whose keys verify it. */
export interface UnverifiedToken {
  readonly raw: string;
  readonly algorithm: string;
  /** The `kid` header: compared with key ids and nothing else, never a path or a query. */
  readonly keyId: string | undefined;
  readonly issuer: string;
  readonly claims: JsonObject;
}

const base64url = /^[A-Za-z0-9_-]+$/;
const keyIdCharsMax = 1_024;
const accessTypes: readonly string[] = ['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt'];

/**
 * Takes a compact JWS apart (RFC 7515 §3.1). The headers that would let a token say where its key is (`jku`, `jwk`,
 * `x5u`, `x5c`) are not read.
 *
 * @throws AuthenticationError malformed, token-too-large, wrong-type
 */
export function parseToken(raw: string): UnverifiedToken {
  // UTF-16 units are no more than UTF-8 bytes, and whatever is not base64url is refused below.
  if (raw.length > tokenBytesMax) {
    throw new AuthenticationError(
      'token-too-large',
      `the token is too large: at most ${tokenBytesMax} bytes are taken; have the issuer put less into it`,
    );
  }
  const parts = raw.split('.', 6);
  if (parts.length === 5) throw malformed('it is encrypted (JWE); have the issuer give out signed tokens');
  if (parts.length !== 3)
    throw malformed(
      'it is not a JWT (three parts with dots between); have the issuer give out JWT access tokens, not opaque ones',
    );
  const [headerPart, claimsPart, signaturePart] = parts as [string, string, string];
  if (signaturePart === '') throw malformed('it is not signed');
  decode(signaturePart, 'signature');
  const claims = parsePart(claimsPart, 'claims');
  const claimedId = ownString(claims, 'sub');
  const { iss } = claims;
  if (typeof iss !== 'string' || iss === '') throw malformed('it names no issuer (`iss`)', { claimedId });
  const claimed = { claimedId, claimedIssuer: iss };
  const header = parsePart(headerPart, 'header');
  checkHeader(header, claimed);
  const { alg, kid } = header;
  if (typeof alg !== 'string') throw malformed('its header names no algorithm (`alg`)', claimed);
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > keyIdCharsMax)) {
    throw malformed(`its key id (\`kid\`) is not a string of at most ${keyIdCharsMax} characters`, claimed);
  }
  return { raw, algorithm: alg, keyId: kid, issuer: iss, claims };
}

interface Claimed {
  readonly claimedId?: string | undefined;
  readonly claimedIssuer?: string | undefined;
}

function checkHeader(header: JsonObject, claimed: Claimed): void {
  // RFC 7515 §4.1.11: a critical extension that is not understood MUST be refused, and none is understood here.
  if (header['crit'] !== undefined)
    throw malformed('it uses a critical header extension (`crit`) this gateway does not know', claimed);
  // RFC 7797: without `crit` this changes what was signed behind the verifier's back.
  if (header['b64'] !== undefined) throw malformed('it uses an unencoded payload (`b64`)', claimed);
  const { typ } = header;
  if (typ === undefined || (typeof typ === 'string' && accessTypes.includes(typ.toLowerCase()))) return;
  // RFC 8725 §3.11: explicit types keep a token of one kind from being taken for another.
  throw new AuthenticationError(
    'wrong-type',
    `the token is of type ${printable(JSON.stringify(typ))}; send an access token (JWT or at+jwt)`,
    claimed,
  );
}

function parsePart(part: string, name: string): JsonObject {
  const bytes = decode(part, name);
  try {
    return parseStrictObject(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (thrown) {
    throw malformed(
      `its ${name} part cannot be read: ${thrown instanceof SyntaxError ? messageOf(thrown) : 'it is not UTF-8'}`,
    );
  }
}

/** RFC 7515 §2: base64url without padding; one spelling per value, so that a token has one form and one digest. */
function decode(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (!base64url.test(part) || bytes.toString('base64url') !== part)
    throw malformed(`its ${name} part is not base64url`);
  return bytes;
}

function malformed(what: string, claimed: Claimed = {}): AuthenticationError {
  return new AuthenticationError('malformed', `the token is malformed: ${what}`, claimed);
}

function ownString(claims: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}
