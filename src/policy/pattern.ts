/**
 * Patterns over names (topics, consumer groups, transactional ids, ports) and over identities (principal ids, claims).
 * No regular expression is ever made of them: a match costs at most pattern length × name length.
 */
import { policyPatternCharsMax, policyPatternStarsMax } from '../lib/limits.ts';

/**
 * What `*` may not cross. `name`: a dot, and a single star at the very end is Kafka's plain prefix, which crosses dots.
 * `identity`: a colon and a slash, also at the end, so that `repo:acme/*` never reaches `repo:acme/x:ref:evil`.
 */
export type PatternStyle = 'name' | 'identity';

export type Pattern =
  | { readonly kind: 'literal'; readonly source: string; readonly head: string }
  | { readonly kind: 'prefix'; readonly source: string; readonly head: string }
  | {
      readonly kind: 'glob';
      readonly source: string;
      /** The fixed text before the first star: every match starts with it. */
      readonly head: string;
      readonly style: PatternStyle;
      /** UTF-16 units of the pattern; `star` and `doubleStar` stand for the wildcards. */
      readonly tokens: readonly number[];
    };

const star = -1;
const doubleStar = -2;

/** Why a pattern cannot be used and what to write instead; `null` where it can. */
export function patternFault(source: string): string | null {
  if (source === '') return 'A pattern must not be empty. Write "*" for every name.';
  if (source.length > policyPatternCharsMax)
    return `A pattern has at most ${policyPatternCharsMax} characters; this one has ${source.length}.`;
  if (source.includes('***'))
    return 'Three stars in a row mean nothing. Write "*" for one segment or "**" to cross segments.';
  if (source.split('*').length - 1 > policyPatternStarsMax)
    return `A pattern has at most ${policyPatternStarsMax} stars.`;
  return null;
}

/**
 * Reads a pattern that `patternFault` has nothing against.
 * No star: a literal. For names, one star at the end: a prefix. `**` at the end and nowhere else: a prefix in both styles.
 * Anything else: a glob in which `*` stands for any text, also none, without a separator, and `**` for any text.
 */
export function parsePattern(source: string, style: PatternStyle): Pattern {
  const first = source.indexOf('*');
  if (first === -1) return { kind: 'literal', source, head: source };
  const head = source.slice(0, first);
  const wild = source.slice(first);
  if (wild === '**' || (wild === '*' && style === 'name')) return { kind: 'prefix', source, head };
  return { kind: 'glob', source, head, style, tokens: tokensOf(source) };
}

function tokensOf(source: string): number[] {
  const tokens: number[] = [];
  for (let at = 0; at < source.length; at++) {
    if (source[at] !== '*') tokens.push(source.charCodeAt(at));
    else if (source[at + 1] !== '*') tokens.push(star);
    else {
      tokens.push(doubleStar);
      at++;
    }
  }
  return tokens;
}

/** Whether the whole of `name` matches. Names are compared by UTF-16 unit: nothing is normalised or folded. */
export function matches(pattern: Pattern, name: string): boolean {
  if (pattern.kind === 'literal') return name === pattern.head;
  if (!name.startsWith(pattern.head)) return false;
  return pattern.kind === 'prefix' || globMatches(pattern.tokens, pattern.style, name);
}

function isSeparator(unit: number, style: PatternStyle): boolean {
  return style === 'name' ? unit === 0x2e : unit === 0x3a || unit === 0x2f;
}

/**
 * Walks both texts once and, where they part, goes back to the last `*` and lets it take one unit more, or, where that
 * would cross a separator, to the last `**`. Going back further never helps: an earlier star that took more would only
 * bring the later one to a place it can reach itself.
 */
function globMatches(tokens: readonly number[], style: PatternStyle, name: string): boolean {
  let at = 0;
  let token = 0;
  let starToken = -1;
  let starAt = 0;
  let crossToken = -1;
  let crossAt = 0;
  for (;;) {
    const wanted = tokens[token];
    if (wanted === doubleStar) {
      crossToken = token++;
      crossAt = at;
      starToken = -1;
    } else if (wanted === star) {
      starToken = token++;
      starAt = at;
    } else if (at === name.length && wanted === undefined) {
      return true;
    } else if (at < name.length && wanted === name.charCodeAt(at)) {
      token++;
      at++;
    } else if (starToken !== -1 && starAt < name.length && !isSeparator(name.charCodeAt(starAt), style)) {
      at = ++starAt;
      token = starToken + 1;
    } else if (crossToken !== -1 && crossAt < name.length) {
      at = ++crossAt;
      token = crossToken + 1;
      starToken = -1;
    } else {
      return false;
    }
  }
}

/**
 * Whether every name that `narrow` matches is surely matched by `wide`. May say no where the answer is yes
 * (two globs of different text); never the reverse.
 */
export function covers(wide: Pattern, narrow: Pattern): boolean {
  if (wide.source === narrow.source && wide.kind === narrow.kind) return true;
  if (wide.kind === 'prefix') return narrow.head.startsWith(wide.head);
  return narrow.kind === 'literal' && matches(wide, narrow.head);
}
