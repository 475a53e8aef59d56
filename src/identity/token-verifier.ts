import { createHash } from 'node:crypto';
import { compactVerify } from 'jose';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { IssuerSettings } from '../model/settings.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError } from '../lib/errors.ts';
import { verifiedTokensBytesMax, verifiedTokensMax } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import { AuthenticationError, printable } from './authentication-error.ts';
import type { AuthenticationErrorOptions } from './authentication-error.ts';
import { checkRequiredClaims, compileMapping, mapClaims } from './claim-mapping.ts';
import type { CompiledMapping } from './claim-mapping.ts';
import { readClaim } from './claim-path.ts';
import { checkIssuers } from './issuer-check.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { checkClaims } from './token-claims.ts';
import { parseToken } from './unverified-token.ts';
import type { UnverifiedToken } from './unverified-token.ts';
import type { VerificationKey } from './verification-key.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/** Verifies bearer tokens of every configured issuer. A verified token is remembered until it expires. */
export interface TokenVerifier {
  /** @throws AuthenticationError which of the reasons it was */
  verify(token: string): Promise<Principal>;
  /** Fetches discovery documents and keys ahead of the first token; never throws, an outage is logged and retried. */
  start(): Promise<void>;
  /** One line per issuer for health and metrics. */
  status(): readonly {
    readonly issuer: string;
    readonly keys: number;
    readonly keysAgeMs: number | null;
    readonly usable: boolean;
  }[];
  close(): void;
}

export interface TokenVerifierOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long one document of an issuer may take; `issuerFetchTimeoutMs` where absent. */
  readonly fetchTimeoutMs?: number;
}

interface Issuer {
  readonly settings: IssuerSettings;
  readonly mapping: CompiledMapping;
  readonly keys: IssuerKeys;
}

interface Verification {
  readonly token: UnverifiedToken;
  readonly issuer: Issuer;
  /** What an error tells of the token. */
  readonly claimed: AuthenticationErrorOptions;
}

/** @throws SluiceError `issuers-invalid` where `checkIssuers` finds a problem */
export function createTokenVerifier(issuers: readonly IssuerSettings[], options: TokenVerifierOptions): TokenVerifier {
  const problems = checkIssuers(issuers);
  if (problems.length > 0)
    throw new SluiceError('issuers-invalid', `The issuers cannot be used: ${problems.join('; ')}.`);
  const known = new Map<string, Issuer>(
    issuers.map((settings) => [
      settings.issuer,
      { settings, mapping: compileMapping(settings), keys: new IssuerKeys(settings, options) },
    ]),
  );
  const verified = new VerifiedTokens(verifiedTokensMax, verifiedTokensBytesMax);
  return {
    async verify(raw) {
      const digest = createHash('sha256').update(raw).digest('base64url');
      const remembered = verified.get(digest, options.clock.nowMs());
      if (remembered !== undefined) return remembered.principal;
      const verification = begin(raw, known);
      const thumbprint = await checkSignature(verification, options.clock);
      const principal = principalOf(verification, digest, options.clock.nowMs());
      const { keys } = verification.issuer;
      // `exp`, not the end of the leeway: past `exp` a token is looked at anew each time.
      const untilMs = Math.min(principal.expiresAtMs ?? 0, Number(verification.token.claims['exp']) * 1_000);
      verified.set(digest, { principal, untilMs, keys, thumbprint, bytes: raw.length * 4 });
      return principal;
    },
    async start() {
      await Promise.all([...known.values()].map(({ keys }) => keys.start()));
    },
    status: () => [...known.values()].map(({ settings, keys }) => ({ issuer: settings.name, ...keys.status() })),
    close() {
      for (const { keys } of known.values()) keys.close();
    },
  };
}

/** Chooses the issuer by `iss` and nothing else, and holds the algorithm against its list (RFC 8725 §3.1). */
function begin(raw: string, known: ReadonlyMap<string, Issuer>): Verification {
  const token = parseToken(raw);
  const issuer = known.get(token.issuer);
  if (issuer === undefined) throw unknownIssuer(token, known);
  const id = readClaim(token.claims, issuer.mapping.id);
  const claimed = {
    claimedId: typeof id === 'string' ? id : undefined,
    claimedIssuer: token.issuer,
    detail: `issuer ${issuer.settings.name}, ${summary(token)}`,
  };
  if (!issuer.settings.algorithms.includes(token.algorithm)) {
    const accepted = issuer.settings.algorithms.join(', ');
    const message = `the token is signed with ${JSON.stringify(printable(token.algorithm))}, and from this issuer only ${accepted} is taken`;
    throw new AuthenticationError('algorithm-refused', message, claimed);
  }
  return { token, issuer, claimed };
}

function unknownIssuer(token: UnverifiedToken, known: ReadonlyMap<string, Issuer>): AuthenticationError {
  const bare = (url: string): string => url.replace(/\/$/, '');
  const near = [...known.keys()].find((url) => bare(url) === bare(token.issuer));
  const hint =
    near === undefined
      ? 'fetch the token from an issuer this gateway is configured with'
      : `it differs from ${JSON.stringify(near)} by the slash at its end`;
  const { sub } = token.claims;
  return new AuthenticationError(
    'unknown-issuer',
    `wrong issuer: tokens of ${JSON.stringify(printable(token.issuer))} are not taken here; ${hint}`,
    {
      claimedId: typeof sub === 'string' ? sub : undefined,
      claimedIssuer: token.issuer,
      detail: `${summary(token)}; configured are ${[...known.keys()].join(', ')}`,
    },
  );
}

/**
 * @returns the thumbprint of the key that signed the token
 * @throws AuthenticationError bad-signature, unknown-key, issuer-unavailable
 */
async function checkSignature({ token, issuer, claimed }: Verification, clock: Clock): Promise<string> {
  let keys = await findKeys(token, issuer, clock, claimed);
  if (keys.length === 0) {
    // A token that is dead anyway gets the better answer, and asks the issuer for nothing.
    checkClaims(token.claims, issuer.settings, clock.nowMs(), claimed);
    await issuer.keys.refetch();
    keys = await findKeys(token, issuer, clock, claimed);
  }
  if (keys.length === 0) throw unknownKey(token, claimed);
  for (const key of keys) {
    if (await isSignedBy(token, key)) return key.thumbprint;
  }
  throw new AuthenticationError(
    'bad-signature',
    'the token’s signature does not match: it was altered, or not made by the issuer it names',
    claimed,
  );
}

async function findKeys(
  token: UnverifiedToken,
  issuer: Issuer,
  clock: Clock,
  claimed: AuthenticationErrorOptions,
): Promise<readonly VerificationKey[]> {
  try {
    return await issuer.keys.find(token.keyId, token.algorithm);
  } catch (thrown) {
    checkClaims(token.claims, issuer.settings, clock.nowMs(), claimed);
    if (!(thrown instanceof AuthenticationError)) throw thrown;
    throw new AuthenticationError(thrown.code, thrown.message, {
      ...claimed,
      detail: thrown.detail,
      retriable: thrown.retriable,
    });
  }
}

function unknownKey(token: UnverifiedToken, claimed: AuthenticationErrorOptions): AuthenticationError {
  const message =
    token.keyId === undefined
      ? 'the token names no key (`kid`), and its issuer does not publish exactly one that fits; have the issuer name it'
      : `the token is signed with key ${JSON.stringify(printable(token.keyId))}, which its issuer does not publish; fetch a new token`;
  return new AuthenticationError('unknown-key', message, { ...claimed, retriable: true });
}

async function isSignedBy(token: UnverifiedToken, key: VerificationKey): Promise<boolean> {
  const material = key.byAlgorithm.get(token.algorithm);
  if (material === undefined) return false;
  try {
    await compactVerify(token.raw, material, { algorithms: [token.algorithm] });
    return true;
  } catch {
    // Whatever the library found wrong, this key does not vouch for the token.
    return false;
  }
}

function principalOf({ token, issuer, claimed }: Verification, digest: string, nowMs: number): Principal {
  const { settings, mapping } = issuer;
  const expiresAtMs = checkClaims(token.claims, settings, nowMs, claimed);
  checkRequiredClaims(token.claims, mapping, claimed);
  const { id, kind, groups } = mapClaims(token.claims, mapping, claimed);
  const credential = { type: 'jwt', id: credentialId(token.claims, digest) } as const;
  return { kind, id, issuer: settings.name, groups, claims: token.claims, expiresAtMs, credential };
}

const credentialIdPattern = /^[\x21-\x7e]{1,128}$/;

function credentialId(claims: JsonObject, digest: string): string {
  const { jti } = claims;
  return typeof jti === 'string' && credentialIdPattern.test(jti) ? jti : digest;
}

/** What the log may know of a token. Never the token, its signature, or claims beyond these. */
function summary({ algorithm, keyId, claims }: UnverifiedToken): string {
  const times = (['iat', 'nbf', 'exp'] as const).flatMap((name) => {
    const value = claims[name];
    return typeof value === 'number' ? [`${name} ${value}`] : [];
  });
  return [`alg ${printable(algorithm)}`, `kid ${keyId === undefined ? 'absent' : printable(keyId)}`, ...times].join(
    ', ',
  );
}
