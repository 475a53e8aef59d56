import type { JsonObject, JsonValue } from '../model/json.ts';
import type { IssuerSettings } from '../model/settings.ts';
import { AuthenticationError, printable } from './authentication-error.ts';
import type { AuthenticationErrorOptions } from './authentication-error.ts';

/** Seconds since the epoch beyond which a date cannot be written (ECMA-262 time range). */
const secondsMax = 8.64e12;

/**
 * Checks a token's audience and times (RFC 7519 §4.1) against an issuer's settings and gives its end.
 *
 * @returns milliseconds since the epoch at which the token is dead. That is `exp`; where the token is already past it
 *   and lives only by the leeway, it is the end of the leeway.
 * @throws AuthenticationError expired, not-yet-valid, wrong-audience, missing-claim, invalid-claim
 */
export function checkClaims(
  claims: JsonObject,
  issuer: IssuerSettings,
  nowMs: number,
  claimed: AuthenticationErrorOptions,
): number {
  const expMs = timeMs(claims, 'exp', claimed);
  if (expMs === undefined)
    throw new AuthenticationError('missing-claim', 'the token has no end (`exp`); have the issuer set one', claimed);
  if (nowMs >= expMs + issuer.clockLeewayMs) {
    throw new AuthenticationError(
      'expired',
      `the token expired at ${iso(expMs)}, ${ago(nowMs - expMs)} ago; fetch a new one`,
      claimed,
    );
  }
  for (const name of ['nbf', 'iat'] as const) {
    const fromMs = timeMs(claims, name, claimed);
    if (fromMs !== undefined && nowMs < fromMs - issuer.clockLeewayMs) {
      throw new AuthenticationError(
        'not-yet-valid',
        `the token is valid from ${iso(fromMs)} on (\`${name}\`), ${ago(fromMs - nowMs)} from now; check the clocks`,
        {
          ...claimed,
          retriable: true,
        },
      );
    }
  }
  checkAudience(claims['aud'], issuer, claimed);
  return nowMs < expMs ? expMs : expMs + issuer.clockLeewayMs;
}

/** RFC 7519 §4.1.3: a string or a list of strings; one of ours MUST be among them, compared exactly. */
function checkAudience(aud: JsonValue | undefined, issuer: IssuerSettings, claimed: AuthenticationErrorOptions): void {
  const expected = issuer.audiences.map((audience) => JSON.stringify(audience)).join(' or ');
  if (aud === undefined) {
    throw new AuthenticationError(
      'wrong-audience',
      `the token names no audience (\`aud\`); this gateway expects ${expected}`,
      claimed,
    );
  }
  const audiences = Array.isArray(aud) ? (aud as readonly JsonValue[]) : [aud];
  if (!audiences.every((audience) => typeof audience === 'string')) {
    throw new AuthenticationError(
      'invalid-claim',
      'the token’s audience (`aud`) is neither a string nor a list of strings',
      claimed,
    );
  }
  if (audiences.some((audience) => issuer.audiences.includes(audience))) return;
  const actual = printable(audiences.map((audience) => JSON.stringify(audience)).join(', ') || 'nobody');
  throw new AuthenticationError(
    'wrong-audience',
    `wrong audience: the token is for ${actual}, this gateway expects ${expected}`,
    claimed,
  );
}

/** A NumericDate (RFC 7519 §2): a JSON number; strings are not taken for one. */
function timeMs(
  claims: JsonObject,
  name: 'exp' | 'nbf' | 'iat',
  claimed: AuthenticationErrorOptions,
): number | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value <= secondsMax)) {
    throw new AuthenticationError(
      'invalid-claim',
      `the token’s claim ${name} is not a time in seconds since 1970`,
      claimed,
    );
  }
  return Math.floor(value * 1_000);
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString().replace('.000Z', 'Z');
}

function ago(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
