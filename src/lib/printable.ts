import { createHash } from 'node:crypto';

// C0, DEL and C1 controls, line and paragraph separators, and the bidirectional overrides that make text read as something else.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const digestHexChars = 16;

/**
 * Text from outside, fit for a log line and an audit entry: control characters and lone surrogates become U+FFFD, so
 * that nobody can draw lines of his own, and more than `charsMax` UTF-16 units are cut. A cut text ends in
 * `…sha256:` and the start of the whole's digest, so that two long names stay two.
 */
export function printable(text: string, charsMax: number): string {
  if (text.length <= charsMax) return clean(text);
  const digest = createHash('sha256').update(text).digest('hex').slice(0, digestHexChars);
  return `${clean(text.slice(0, charsMax))}…sha256:${digest}`;
}

function clean(text: string): string {
  return text.toWellFormed().replace(unprintable, '\uFFFD');
}
