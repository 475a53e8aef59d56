import { isUtf8 } from 'node:buffer';
import canonicalize from 'canonicalize';

/**
 * Whether a line is the canonical form (RFC 8785) of the value that it was parsed to. The quick way settles all but
 * names that look like numbers, which JavaScript puts first: RFC 8785 writes strings and numbers as JSON.stringify
 * does, and a name that stands twice, or white space, does not survive parsing.
 */
export function isCanonical(line: Buffer, value: unknown): boolean {
  if (!isUtf8(line)) return false;
  const text = line.toString('utf8');
  if (JSON.stringify(value) === text && isSorted(value)) return true;
  try {
    return canonicalize(value) === text;
  } catch {
    return false;
  }
}

function isSorted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  let last = '';
  for (const [name, inner] of Object.entries(value)) {
    // By UTF-16 code units (§3.2.3), as `<` compares.
    if (name < last || !isSorted(inner)) return false;
    last = name;
  }
  return true;
}
