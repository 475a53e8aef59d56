import { principalKinds } from '../model/principal.ts';
import type { CertificateMapping, IssuerSettings } from '../model/settings.ts';
import { messageOf } from '../lib/errors.ts';
import { compileRe2 } from '../lib/re2.ts';
import { signatureAlgorithms } from './algorithms.ts';
import { compileMapping } from './claim-mapping.ts';
import { isSafeIssuerUrl } from './issuer-document.ts';

const clockLeewayMsMax = 300_000;
/** What principals of client certificates carry as issuer; a token issuer of that name could pose as them. */
export const certificateIssuer = 'mtls';

/** What is wrong with the issuers as configured; one sentence each, empty where they can be used. */
export function checkIssuers(issuers: readonly IssuerSettings[]): readonly string[] {
  return [
    ...repeated(issuers.map(({ name }) => name)).map((name) => `the issuer name ${name} is given twice`),
    ...repeated(issuers.map(({ issuer }) => issuer)).map((url) => `the issuer ${url} is configured twice`),
    ...issuers.flatMap((issuer) => problemsOf(issuer).map((problem) => `issuer ${issuer.name}: ${problem}`)),
  ];
}

function problemsOf(settings: IssuerSettings): readonly string[] {
  const problems: string[] = [];
  if (settings.name === '') problems.push('it has no name');
  if (settings.name === certificateIssuer)
    problems.push(`the name ${certificateIssuer} is kept for client certificates`);
  problems.push(...problemsOfUrl('issuer', settings.issuer));
  if (settings.jwksUri !== undefined) problems.push(...problemsOfUrl('jwksUri', settings.jwksUri));
  problems.push(...settings.algorithms.flatMap(problemsOfAlgorithm));
  if (settings.algorithms.length === 0) problems.push('it has no algorithms');
  if (settings.audiences.length === 0 || settings.audiences.includes(''))
    problems.push('audiences must hold at least one, and none empty');
  if (!(settings.clockLeewayMs >= 0 && settings.clockLeewayMs <= clockLeewayMsMax)) {
    problems.push(`the clock leeway must be between 0 and ${clockLeewayMsMax / 1_000} s`);
  }
  if (!(settings.keysMaxAgeMs > 0)) problems.push('the maximum age of its keys must be more than 0');
  for (const [claim, values] of Object.entries(settings.requiredClaims)) {
    if (values.length === 0)
      problems.push(`required claim ${claim} has no values, so that every token would be refused`);
  }
  try {
    compileMapping(settings);
  } catch (thrown) {
    problems.push(messageOf(thrown));
  }
  return problems;
}

function problemsOfUrl(field: string, text: string): readonly string[] {
  if (!URL.canParse(text)) return [`${field} ${JSON.stringify(text)} is not a URL`];
  const url = new URL(text);
  const problems: string[] = [];
  if (!isSafeIssuerUrl(url))
    problems.push(`${field} ${text} must be https; http is taken on this machine only (localhost, 127.0.0.1, [::1])`);
  if (url.username !== '' || url.password !== '') problems.push(`${field} holds a user name or password`);
  // OpenID Connect Discovery 1.0 §3: no query or fragment components.
  if (field === 'issuer' && (text.includes('?') || text.includes('#')))
    problems.push(`${field} ${text} has a query or fragment`);
  return problems;
}

function problemsOfAlgorithm(algorithm: string): readonly string[] {
  if (signatureAlgorithms.has(algorithm)) return [];
  const known = [...signatureAlgorithms.keys()].join(', ');
  if (algorithm.toLowerCase() === 'none') return ['algorithm none would take unsigned tokens; it is refused'];
  if (/^HS\d+$/i.test(algorithm))
    return [`algorithm ${algorithm} is symmetric: whoever can verify could also sign; take one of ${known}`];
  return [`algorithm ${JSON.stringify(algorithm)} is not known; take one of ${known}`];
}

function repeated(values: readonly string[]): readonly string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

/** What is wrong with the rules for client certificates; one sentence each, empty where they can be used. */
export function checkCertificateMappings(mappings: readonly CertificateMapping[]): readonly string[] {
  return mappings.flatMap((mapping, index) => {
    const problem = problemOfMapping(mapping);
    return problem === undefined ? [] : [`certificate rule ${index + 1}: ${problem}`];
  });
}

function problemOfMapping({ match, id, kind, groups }: CertificateMapping): string | undefined {
  let groupCount: number;
  try {
    groupCount = compileRe2(match).groupCount();
  } catch (thrown) {
    return `match is not a regular expression in RE2 syntax: ${messageOf(thrown)}`;
  }
  const beyond = [...(id ?? '').matchAll(/\$(\d)/g)].find(([, group]) => Number(group) > groupCount);
  if (beyond !== undefined) return `id uses ${beyond[0]}, but match has ${groupCount} groups`;
  if (!principalKinds.includes(kind)) return `kind ${JSON.stringify(kind)} is not one of ${principalKinds.join(', ')}`;
  return groups.includes('') ? 'a group is empty' : undefined;
}
