/** What the tests of this folder share: a context, principals, and policies from few words. */
import type { JsonObject } from '../model/json.ts';
import type { Principal, PrincipalKind } from '../model/principal.ts';
import type { PolicyContext, PolicyProblem, PolicySet } from './contract.ts';
import { compilePolicies } from './compile.ts';

export const nowMs: number = Date.parse('2027-01-15T12:00:00Z');

export const context: PolicyContext = {
  ports: [
    { name: 'orders', protocol: 'kafka' },
    { name: 'metrics', protocol: 'kafka' },
  ],
  issuers: [
    { name: 'corp', issuer: 'https://idp.example', requiredClaims: {} },
    { name: 'partner', issuer: 'https://partner.example', requiredClaims: {} },
  ],
};

export function principal(
  parts: { id?: string; issuer?: string; kind?: PrincipalKind; groups?: readonly string[]; claims?: JsonObject } = {},
): Principal {
  const { id = 'alice', issuer = 'corp', kind = 'user', groups = [], claims = {} } = parts;
  return { id, issuer, kind, groups, claims, expiresAtMs: null, credential: { type: 'jwt', id: 'token-1' } };
}

/** A policy document for `id: alice` unless said otherwise. `spec` is JSON-able and laid over the default. */
export function policy(name: string, spec: object): string {
  return JSON.stringify({
    apiVersion: 'sluice/v1',
    kind: 'Policy',
    metadata: { name },
    spec: { subjects: [{ id: 'alice' }], ...spec },
  });
}

export function role(name: string, spec: object): string {
  return JSON.stringify({ apiVersion: 'sluice/v1', kind: 'Role', metadata: { name }, spec });
}

/** Compiles documents, each in a file of its own, `0.yaml` and so on. */
export function compiled(documents: readonly string[], over: PolicyContext = context): PolicySet {
  const result = compilePolicies(sources(documents), over, nowMs);
  if (!result.ok) throw new Error(result.problems.map(formatted).join('\n'));
  return result.policies;
}

/** The problems of documents that must not load, as `path:line:column: message`. */
export function problemsOf(documents: readonly string[], over: PolicyContext = context): readonly string[] {
  const result = compilePolicies(sources(documents), over, nowMs);
  return result.ok ? [] : result.problems.map(formatted);
}

function sources(documents: readonly string[]): readonly { path: string; text: string }[] {
  return documents.map((text, index) => ({ path: `${index}.yaml`, text }));
}

export function formatted(problem: PolicyProblem): string {
  return `${problem.path}:${problem.line}:${problem.column}: ${problem.message}`;
}
