import { derTag, readElements, readInside, readObjectIdentifier, readText } from './der.ts';
import type { DerElement } from './der.ts';

export interface CertificateNames {
  /** RFC 2253, as Java and thus a Kafka broker writes it. Empty where the certificate has no subject. */
  readonly subject: string;
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly email: readonly string[];
}

/** RFC 2253 §2.3; any other type is written as its dotted identifier with the value in hexadecimal. */
const keywords: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
]);

const versionTag = 0xa0;
const extensionsTag = 0xa3;
const subjectAlternativeName = '2.5.29.17';
const generalNameTag = { email: 0x81, dns: 0x82, uri: 0x86 } as const;

/**
 * Reads a certificate's subject and subject alternative names from its DER bytes (RFC 5280 §4.1, §4.2.1.6). Each name is
 * taken by its own length; names are never split out of a joined string, in which a name may pose as several
 * (CVE-2021-44532). A subject alternative name that is not plain visible ASCII makes the certificate unreadable.
 *
 * @throws RangeError where the bytes are not a certificate whose names can be read without doubt
 */
export function readCertificateNames(der: Buffer): CertificateNames {
  const [certificate, ...trailing] = readElements(der);
  if (trailing.length > 0) throw new RangeError('bytes after the certificate');
  const fields = readInside(readInside(certificate, derTag.sequence)[0], derTag.sequence);
  // serialNumber, signature, issuer, validity, subject; the version before them may be left out.
  const subjectIndex = fields[0]?.tag === versionTag ? 5 : 4;
  const alternative = readAlternativeNames(fields.find(({ tag }) => tag === extensionsTag));
  return { subject: formatName(fields[subjectIndex]), ...alternative };
}

function readAlternativeNames(extensions: DerElement | undefined): Omit<CertificateNames, 'subject'> {
  const listed = extensions === undefined ? [] : readInside(readElements(extensions.content)[0], derTag.sequence);
  const found = listed
    .map((extension) => readInside(extension, derTag.sequence))
    .filter(([oid]) => readObjectIdentifier(oid) === subjectAlternativeName);
  // RFC 5280 §4.2: a certificate MUST NOT include an extension twice.
  if (found.length > 1) throw new RangeError('two lists of subject alternative names');
  const value = found[0]?.at(-1);
  const names = value === undefined ? [] : readInside(readInsideOctets(value), derTag.sequence);
  const ofTag = (tag: number): readonly string[] =>
    names.filter((name) => name.tag === tag).map(({ content }) => visibleAscii(content));
  return { dns: ofTag(generalNameTag.dns), uri: ofTag(generalNameTag.uri), email: ofTag(generalNameTag.email) };
}

/** An extension's value is DER inside an octet string. */
function readInsideOctets(value: DerElement): DerElement | undefined {
  const [inner, ...trailing] = readInside(value, derTag.octetString);
  if (trailing.length > 0) throw new RangeError('bytes after an extension');
  return inner;
}

function visibleAscii(content: Buffer): string {
  if (!content.every((byte) => byte > 0x20 && byte < 0x7f))
    throw new RangeError('a subject alternative name has bytes that are not visible ASCII');
  return content.toString('latin1');
}

/** RFC 2253 §2: the last relative name first. */
function formatName(name: DerElement | undefined): string {
  return readInside(name, derTag.sequence)
    .map((relative) => readInside(relative, derTag.set).map(formatAttribute).join('+'))
    .reverse()
    .join(',');
}

function formatAttribute(attribute: DerElement): string {
  const [type, value] = readInside(attribute, derTag.sequence);
  if (value === undefined) throw new RangeError('a name without a value');
  const oid = readObjectIdentifier(type);
  const keyword = keywords.get(oid);
  const text = readText(value);
  if (keyword === undefined || text === undefined) return `${keyword ?? oid}=#${value.whole.toString('hex')}`;
  return `${keyword}=${escapeValue(text)}`;
}

/** RFC 2253 §2.4, and `=` besides, as Java does: so that rules written for a broker's `ssl.principal.mapping.rules` fit. */
function escapeValue(text: string): string {
  const escaped = text.replace(/[,=+<>#;"\\]/g, String.raw`\$&`).replaceAll('\0', String.raw`\00`);
  return escaped.replace(/^ +| +$/g, (spaces) => String.raw`\ `.repeat(spaces.length));
}
