/**
 * Issuers that many organisations share. A token of such an issuer proves that somebody runs a job or has an account there;
 * only the tenant's own claim says that it is ours. A subject that does not bind it would let everybody in.
 */
import type { PrincipalKind } from '../model/principal.ts';
import type { ClaimScalar, SubjectDocument } from './document.ts';
import type { PolicyContext } from './contract.ts';

/** Whether a value or pattern fixes the tenant. */
type Binding = (value: string) => boolean;

/** The whole value names the tenant: a star would let in whoever registers a name that fits. */
const exact: Binding = (value) => !value.includes('*');
/** The part before the first slash names the tenant, and is fixed. */
const beforeSlash: Binding = (value) => /^[^*/]+\//.test(value);
/** One of these prefixes, and then the tenant up to the separator, fixed. */
function subject(...starts: readonly RegExp[]): Binding {
  return (value) => starts.some((start) => start.test(value));
}

interface SharedIssuer {
  readonly title: string;
  readonly claims: Readonly<Record<string, Binding>>;
  /** Whether an id binds, for issuers whose `sub` the tenant is part of; `null` where it does not. */
  readonly id: Binding | null;
  readonly advice: string;
}

const gitHubSubject = subject(
  /^repo:[^*/:]+\//,
  /^repository:[^*/:]+\//,
  /^repository_owner:[^*:]+(?::|$)/,
  /^repository_(?:owner_)?id:[^*:]+(?::|$)/,
);
const gitLabSubject = subject(
  /^project_path:[^*/:]+\//,
  /^(?:namespace_path|namespace_id|project_id):[^*/:]+(?:[/:]|$)/,
);

/** Patterns above are written here and run over one short value each; none comes from a user. */
const shared: ReadonlyMap<string, SharedIssuer> = new Map<string, SharedIssuer>([
  [
    'https://agent.buildkite.com',
    // `sub` does not count: who runs the job chooses which claim it is made of.
    {
      title: 'Buildkite',
      claims: { organization_id: exact, organization_slug: exact },
      id: null,
      advice: 'organization_id (or organization_slug)',
    },
  ],
  [
    'https://token.actions.githubusercontent.com',
    {
      title: 'GitHub Actions',
      claims: {
        repository_owner: exact,
        repository_owner_id: exact,
        repository: beforeSlash,
        repository_id: exact,
        sub: gitHubSubject,
      },
      id: gitHubSubject,
      advice: 'repository_owner_id (or repository_owner, repository, repository_id, sub)',
    },
  ],
  [
    'https://gitlab.com',
    {
      title: 'GitLab',
      claims: {
        namespace_id: exact,
        namespace_path: (value) => exact(value) || beforeSlash(value),
        project_id: exact,
        project_path: beforeSlash,
        sub: gitLabSubject,
      },
      id: gitLabSubject,
      advice: 'namespace_id (or namespace_path, project_id, project_path, sub)',
    },
  ],
  [
    'https://accounts.google.com',
    { title: 'Google', claims: { hd: exact, sub: exact, email: exact }, id: exact, advice: 'hd (or sub, email)' },
  ],
]);

type Issuer = PolicyContext['issuers'][number];

function sharedIssuer(issuer: Issuer): SharedIssuer | undefined {
  return shared.get(issuer.issuer.replace(/\/+$/, '').toLowerCase());
}

/** Every value must bind: values of one claim are alternatives. */
function allBind(values: readonly ClaimScalar[] | undefined, binding: Binding): boolean {
  return values !== undefined && values.length > 0 && values.every((value) => binding(String(value)));
}

/** A claim path of one step may be quoted; both spellings name the claim. */
function binds(claims: Readonly<Record<string, readonly ClaimScalar[]>>, known: SharedIssuer): boolean {
  return Object.entries(known.claims).some(([claim, binding]) =>
    [claim, `"${claim}"`].some((name) => Object.hasOwn(claims, name) && allBind(claims[name], binding)),
  );
}

/** Whether a principal of this issuer could be what the subject asks for, the tenant aside. */
function mayMatch(subjectDocument: SubjectDocument, issuer: Issuer): boolean {
  const { issuer: names, group, kind } = subjectDocument;
  if (names !== undefined && !names.includes(issuer.name)) return false;
  if (group !== undefined && issuer.mapsGroups === false) return false;
  const kinds: readonly PrincipalKind[] | undefined = issuer.kinds;
  return kind === undefined || kinds === undefined || kind.some((one) => kinds.includes(one));
}

/** Why the subject may not be used, for the first shared issuer whose tenant neither it nor the configuration binds; else `null`. */
export function tenancyFault(subjectDocument: SubjectDocument, context: PolicyContext): string | null {
  for (const issuer of context.issuers) {
    const known = sharedIssuer(issuer);
    if (known === undefined || !mayMatch(subjectDocument, issuer) || binds(issuer.requiredClaims, known)) continue;
    if (binds(subjectDocument.claims ?? {}, known)) continue;
    if (known.id !== null && allBind(subjectDocument.id, known.id)) continue;
    const named = subjectDocument.issuer !== undefined;
    return (
      `This subject lets in every organisation on ${known.title}: issuer "${issuer.name}" (${issuer.issuer}) is shared by all of them, and nothing here fixes which one is yours. ` +
      `Add a claim without wildcards: ${known.advice}. Or set requiredClaims on the issuer in the configuration.` +
      (named ? '' : ` If the subject is not meant for ${known.title}, say so with "issuer:".`)
    );
  }
  return null;
}
