/** A reader for the few DER structures of a certificate that matter here (X.690). Definite lengths, single-byte tags, no copies. */
export interface DerElement {
  readonly tag: number;
  /** The element with its tag and length. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

export const derTag = {
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

const lengthBytesMax = 4;

/** The elements that lie one after another in `bytes`. @throws RangeError where the encoding is broken */
export function readElements(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length;) {
    const element = readElement(bytes, at);
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The elements inside one that must have this tag. @throws RangeError */
export function readInside(element: DerElement | undefined, tag: number): readonly DerElement[] {
  if (element?.tag !== tag)
    throw new RangeError(`DER tag 0x${tag.toString(16)} expected, 0x${element?.tag.toString(16) ?? 'nothing'} found`);
  return readElements(element.content);
}

function readElement(bytes: Buffer, start: number): DerElement {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f)
    throw new RangeError('DER element cut off, or its tag is not taken');
  let contentStart = start + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > lengthBytesMax || contentStart + lengthBytes > bytes.length)
      throw new RangeError('DER length not taken');
    length = bytes.readUIntBE(contentStart, lengthBytes);
    contentStart += lengthBytes;
  }
  const end = contentStart + length;
  if (end > bytes.length) throw new RangeError('DER element cut off');
  return { tag, whole: bytes.subarray(start, end), content: bytes.subarray(contentStart, end) };
}

/** Dotted form (X.690 §8.19). @throws RangeError */
export function readObjectIdentifier(element: DerElement | undefined): string {
  if (element?.tag !== derTag.objectIdentifier) throw new RangeError('DER object identifier expected');
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of element.content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new RangeError('DER object identifier too large');
    if (byte >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(Math.floor(arc / 40), 2));
    arcs.push(arcs.length === 1 ? arc - (arcs[0] ?? 0) * 40 : arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** The text of a directory string, or `undefined` where the element is none, or not well-formed. */
export function readText(element: DerElement): string | undefined {
  const { tag, content } = element;
  switch (tag) {
    case derTag.utf8String:
      return decodeText(content, 'utf-8');
    case derTag.printableString:
    case derTag.ia5String:
      return content.every((byte) => byte < 0x80) ? content.toString('latin1') : undefined;
    case derTag.teletexString:
      return content.toString('latin1');
    case derTag.bmpString:
      return decodeText(content, 'utf-16be');
    default:
      return undefined;
  }
}

function decodeText(content: Buffer, encoding: 'utf-8' | 'utf-16be'): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}
