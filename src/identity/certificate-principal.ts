import { X509Certificate } from 'node:crypto';
import type { RE2JS } from 're2js';
import type { Principal } from '../model/principal.ts';
import type { CertificateMapping } from '../model/settings.ts';
import { messageOf } from '../lib/errors.ts';
import { compileRe2 } from '../lib/re2.ts';
import { AuthenticationError, printable } from './authentication-error.ts';
import { readCertificateNames } from './certificate-names.ts';
import type { CertificateNames } from './certificate-names.ts';
import { problemOfId } from './claim-mapping.ts';
import { certificateIssuer } from './issuer-check.ts';

/** Names longer than this are not matched: no rule of a person's making needs them. */
const nameCharsMax = 1_024;

const patterns = new WeakMap<CertificateMapping, RE2JS>();

/**
 * Makes a principal of a client certificate by the first rule that matches one of its names. The certificate must have
 * been verified against the trusted CAs by the TLS handshake before: here only its names and its validity are read.
 *
 * @param certificate as `TLSSocket.getPeerCertificate()` gives it; only `raw` (DER) is read. Node gives `{}` where there is none
 * @param mappings as `checkCertificateMappings` found them to be fine
 * @throws AuthenticationError certificate-missing, certificate-invalid, certificate-unmapped, expired, not-yet-valid
 */
export function principalFromCertificate(
  certificate: { readonly raw?: Buffer } | null | undefined,
  mappings: readonly CertificateMapping[],
  nowMs: number,
): Principal {
  const der = certificate?.raw;
  if (der === undefined || der.length === 0) {
    throw new AuthenticationError(
      'certificate-missing',
      'no client certificate was sent; configure the client with one',
    );
  }
  const { parsed, names } = read(der);
  const fingerprint = parsed.fingerprint256.replaceAll(':', '').toLowerCase();
  const claimed = {
    claimedId: names.subject,
    claimedIssuer: certificateIssuer,
    detail: `certificate ${printable(names.subject)}, serial ${parsed.serialNumber}, SHA-256 ${fingerprint}, valid ${parsed.validFrom} to ${parsed.validTo}`,
  };
  const [fromMs, toMs] = [Date.parse(parsed.validFrom), Date.parse(parsed.validTo)];
  // Written so that a date that cannot be read refuses.
  if (!(nowMs < toMs))
    throw new AuthenticationError(
      'expired',
      `the client certificate expired at ${parsed.validTo}; have it renewed`,
      claimed,
    );
  if (!(nowMs >= fromMs))
    throw new AuthenticationError(
      'not-yet-valid',
      `the client certificate is valid from ${parsed.validFrom} on; check the clocks`,
      claimed,
    );
  for (const mapping of mappings) {
    const id = matchNames(mapping, names);
    if (id === undefined) continue;
    const problem = problemOfId(id);
    if (problem !== undefined)
      throw new AuthenticationError(
        'certificate-invalid',
        `the client certificate maps to an id that cannot be used: ${problem}`,
        claimed,
      );
    const { subject, dns, uri, email } = names;
    return {
      kind: mapping.kind,
      id,
      issuer: certificateIssuer,
      groups: mapping.groups,
      claims: { subject, san: { dns, uri, email }, serial: parsed.serialNumber.toLowerCase(), fingerprint },
      expiresAtMs: toMs,
      credential: { type: 'client-certificate', id: fingerprint },
    };
  }
  throw new AuthenticationError(
    'certificate-unmapped',
    `the client certificate ${JSON.stringify(printable(names.subject))} is trusted, but no rule of this port maps it to a principal`,
    claimed,
  );
}

function read(der: Buffer): { readonly parsed: X509Certificate; readonly names: CertificateNames } {
  try {
    return { parsed: new X509Certificate(der), names: readCertificateNames(der) };
  } catch (cause) {
    throw new AuthenticationError(
      'certificate-invalid',
      'the names in the client certificate cannot be read without doubt; have it issued again',
      {
        cause,
        detail: `client certificate not readable: ${printable(messageOf(cause))}`,
      },
    );
  }
}

function matchNames(mapping: CertificateMapping, names: CertificateNames): string | undefined {
  for (const name of candidates(mapping, names)) {
    if (name === '' || name.length > nameCharsMax) continue;
    const matcher = patternOf(mapping).matcher(name);
    // The whole name must match, not a part of it.
    if (!matcher.matches()) continue;
    const group = (index: number): string => (index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '');
    if (mapping.id === undefined) return matcher.groupCount() > 0 ? group(1) : name;
    return mapping.id.replace(/\$(\d)/g, (_whole, index: string) => group(Number(index)));
  }
  return undefined;
}

function candidates(mapping: CertificateMapping, names: CertificateNames): readonly string[] {
  switch (mapping.from) {
    case 'subject':
      return [names.subject];
    case 'san-dns':
      return names.dns;
    case 'san-uri':
      return names.uri;
    case 'san-email':
      return names.email;
  }
}

/** RE2: matching takes time linear in the name, whatever the pattern. */
function patternOf(mapping: CertificateMapping): RE2JS {
  let pattern = patterns.get(mapping);
  if (pattern === undefined) {
    pattern = compileRe2(mapping.match);
    patterns.set(mapping, pattern);
  }
  return pattern;
}
