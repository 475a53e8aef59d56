import type { JsonObject, JsonValue } from '../model/json.ts';
import { principalKinds } from '../model/principal.ts';
import type { PrincipalKind } from '../model/principal.ts';
import type { IssuerSettings } from '../model/settings.ts';
import { groupNameCharsMax, principalGroupsMax, principalIdCharsMax } from '../lib/limits.ts';
import { AuthenticationError, printable } from './authentication-error.ts';
import type { AuthenticationErrorOptions } from './authentication-error.ts';
import { parseClaimPath, readClaim } from './claim-path.ts';
import type { ClaimPath } from './claim-path.ts';

/** An issuer's mapping and required claims with their paths read. */
export interface CompiledMapping {
  readonly id: ClaimPath;
  readonly groups: ClaimPath | undefined;
  readonly kind: { readonly value: PrincipalKind } | { readonly claim: ClaimPath };
  readonly required: readonly { readonly name: string; readonly path: ClaimPath; readonly values: readonly string[] }[];
}

/** @throws Error for a path that cannot be read */
export function compileMapping({ mapping, requiredClaims }: IssuerSettings): CompiledMapping {
  return {
    id: parseClaimPath(mapping.id),
    groups: mapping.groups === undefined ? undefined : parseClaimPath(mapping.groups),
    kind: 'claim' in mapping.kind ? { claim: parseClaimPath(mapping.kind.claim) } : mapping.kind,
    required: Object.entries(requiredClaims).map(([name, values]) => ({ name, path: parseClaimPath(name), values })),
  };
}

/** Binds a shared issuer to its tenant. @throws AuthenticationError tenant-refused */
export function checkRequiredClaims(
  claims: JsonObject,
  mapping: CompiledMapping,
  claimed: AuthenticationErrorOptions,
): void {
  for (const { name, path, values } of mapping.required) {
    const value = readClaim(claims, path);
    const held = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
    if (held.some((one) => isScalar(one) && values.includes(String(one)))) continue;
    const found = value === undefined ? 'it has no' : 'it has another value for';
    const message = `the token is not of the tenant this gateway takes from its issuer: ${found} claim ${name}; use an identity of the configured tenant`;
    throw new AuthenticationError('tenant-refused', message, {
      ...claimed,
      detail: `claim ${name} is ${value === undefined ? 'absent' : printable(JSON.stringify(value))}, not one of ${JSON.stringify(values)}`,
    });
  }
}

/** @throws AuthenticationError missing-claim, invalid-claim */
export function mapClaims(
  claims: JsonObject,
  mapping: CompiledMapping,
  claimed: AuthenticationErrorOptions,
): { readonly id: string; readonly kind: PrincipalKind; readonly groups: readonly string[] } {
  return {
    id: idOf(claims, mapping, claimed),
    kind: kindOf(claims, mapping, claimed),
    groups: groupsOf(claims, mapping, claimed),
  };
}

/** Why a string cannot be a principal's id, or `undefined` where it can. */
export function problemOfId(id: string): string | undefined {
  if (id === '') return 'it is empty';
  if (id.length > principalIdCharsMax) return `it is longer than ${principalIdCharsMax} characters`;
  // Invisible and direction-changing characters would let one id look like another in a log or a policy.
  if (hasHidden(id)) return 'it has control or invisible characters';
  return id.trim() === id ? undefined : 'it begins or ends with a space';
}

function hasHidden(text: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text);
}

function idOf(claims: JsonObject, mapping: CompiledMapping, claimed: AuthenticationErrorOptions): string {
  const value = readClaim(claims, mapping.id);
  if (value === undefined || value === null) throw missing(mapping.id, 'the principal’s id', claimed);
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value);
  const id = typeof value === 'string' || isNumber ? String(value) : undefined;
  const problem = id === undefined ? 'it is not a string' : problemOfId(id);
  if (id === undefined || problem !== undefined)
    throw invalid(mapping.id, `it is the principal’s id, and ${problem}`, claimed);
  return id;
}

function kindOf(claims: JsonObject, mapping: CompiledMapping, claimed: AuthenticationErrorOptions): PrincipalKind {
  if ('value' in mapping.kind) return mapping.kind.value;
  const value = readClaim(claims, mapping.kind.claim);
  if (value === undefined) throw missing(mapping.kind.claim, 'the principal’s kind', claimed);
  const kind = principalKinds.find((known) => known === value);
  if (kind === undefined)
    throw invalid(
      mapping.kind.claim,
      `it is the principal’s kind, and not one of ${principalKinds.join(', ')}`,
      claimed,
    );
  return kind;
}

function groupsOf(
  claims: JsonObject,
  mapping: CompiledMapping,
  claimed: AuthenticationErrorOptions,
): readonly string[] {
  const path = mapping.groups;
  if (path === undefined) return [];
  const value = readClaim(claims, path);
  if (value === undefined || value === null) {
    // OpenID Connect Core §5.6.2: the claim exists, elsewhere. Taking it for "no groups" would slip past a rule that denies one.
    if (readClaim(claims, ['_claim_names', path[0]]) !== undefined) {
      throw invalid(
        path,
        'the issuer left the groups out because they are too many; have it send fewer, such as only those assigned to the application',
        claimed,
      );
    }
    return [];
  }
  const groups = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  if (groups.length > principalGroupsMax)
    throw invalid(path, `it has ${groups.length} groups, and at most ${principalGroupsMax} are taken`, claimed);
  const names = groups.map((group) => {
    if (typeof group !== 'string' || group === '' || group.length > groupNameCharsMax || hasHidden(group)) {
      throw invalid(path, `every group must be a string of 1 to ${groupNameCharsMax} visible characters`, claimed);
    }
    return group;
  });
  return [...new Set(names)];
}

function isScalar(value: JsonValue | undefined): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function missing(path: ClaimPath, what: string, claimed: AuthenticationErrorOptions): AuthenticationError {
  return new AuthenticationError(
    'missing-claim',
    `the token has no claim ${path.join('.')}, which is to give ${what}; have the issuer add it`,
    claimed,
  );
}

function invalid(path: ClaimPath, why: string, claimed: AuthenticationErrorOptions): AuthenticationError {
  return new AuthenticationError(
    'invalid-claim',
    `the token’s claim ${path.join('.')} cannot be used: ${why}`,
    claimed,
  );
}
