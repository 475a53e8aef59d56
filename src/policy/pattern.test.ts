import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { covers, matches, parsePattern, patternFault } from './pattern.ts';
import type { PatternStyle } from './pattern.ts';

function matchesText(pattern: string, name: string, style: PatternStyle = 'name'): boolean {
  return matches(parsePattern(pattern, style), name);
}

/** What the words of the ADR say, as a regular expression: fit for short test texts only. */
function reference(pattern: string, style: PatternStyle): RegExp {
  const within = style === 'name' ? '[^.]*' : '[^:/]*';
  const plainPrefix = style === 'name' && /^[^*]*\*$/.test(pattern);
  const source = pattern.replace(/\*\*|\*|[^*]/g, (part) =>
    part === '**' || (part === '*' && plainPrefix) ? '[^]*' : part === '*' ? within : part.replace(/[.:/]/, '\\$&'),
  );
  return new RegExp(`^(?:${source})$`);
}

describe('patterns over names', () => {
  it('take a lone trailing star as the plain prefix, across dots', () => {
    assert.ok(matchesText('payments.*', 'payments.a'));
    assert.ok(matchesText('payments.*', 'payments.a.b'));
    assert.ok(matchesText('payments.*', 'payments.'));
    assert.ok(!matchesText('payments.*', 'payments'));
    assert.ok(matchesText('*', ''));
  });

  it('keep a star of a glob within its segment, and let two stars cross', () => {
    assert.ok(matchesText('*.events', 'orders.events'));
    assert.ok(!matchesText('*.events', 'orders.eu.events'));
    assert.ok(matchesText('**.events', 'orders.eu.events'));
    assert.ok(!matchesText('team.*.events.*', 'team.a.b.events.c'));
    assert.ok(!matchesText('team.*.events.*', 'team.a.events.c.d'), 'a trailing star of a glob is no prefix');
    assert.ok(matchesText('team.*.events.**', 'team.a.events.c.d'));
  });

  it('anchor both ends and take every other character as itself', () => {
    assert.ok(!matchesText('payments', 'payments2'));
    assert.ok(!matchesText('*.events', 'a.events2'));
    assert.ok(!matchesText('a.c*d', 'abcxd'));
    assert.ok(!matchesText('payments', 'Payments'));
    assert.ok(!matchesText('caf\u00e9', 'cafe\u0301'), 'nothing is normalised');
  });
});

describe('patterns over identities', () => {
  it('never let a star cross a colon or a slash, also at the end', () => {
    assert.ok(matchesText('repo:acme/*', 'repo:acme/app', 'identity'));
    assert.ok(!matchesText('repo:acme/*', 'repo:acme/app:ref:refs/heads/evil', 'identity'));
    assert.ok(!matchesText('repo:acme*', 'repo:acme-evil/app', 'identity'));
    assert.ok(!matchesText('*', 'a:b', 'identity'));
    assert.ok(matchesText('repo:acme/**', 'repo:acme/app:ref:refs/heads/main', 'identity'));
    assert.ok(matchesText('*@acme.example', 'bob.b@acme.example', 'identity'), 'dots are no separators here');
  });
});

describe('every pattern', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.', ':', '/', '*'), maxLength: 12 });
  const names = fc.string({ unit: fc.constantFrom('a', 'b', '.', ':', '/'), maxLength: 14 });
  const styles = fc.constantFrom<PatternStyle>('name', 'identity');

  it('matches as the reference does', () => {
    fc.assert(
      fc.property(texts, names, styles, (pattern, name, style) => {
        fc.pre(patternFault(pattern) === null);
        assert.equal(matchesText(pattern, name, style), reference(pattern, style).test(name));
      }),
      { numRuns: 20_000 },
    );
  });

  it('covers only what it matches', () => {
    const fills = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '.', ':', '/'), maxLength: 4 }), {
      minLength: 12,
      maxLength: 12,
    });
    let covered = 0;
    fc.assert(
      fc.property(
        texts,
        fc.nat(12),
        fc.constantFrom('', '*', '**', '*a', 'a'),
        fills,
        styles,
        (narrow, cut, tail, fill, style) => {
          const wide = `${narrow.slice(0, cut)}${tail}`;
          if (patternFault(wide) !== null || patternFault(narrow) !== null) return;
          if (!covers(parsePattern(wide, style), parsePattern(narrow, style))) return;
          let next = 0;
          const name = narrow.replace(/\*+/g, () => fill[next++] ?? '');
          if (!matchesText(narrow, name, style)) return;
          covered++;
          assert.ok(matchesText(wide, name, style), `${wide} claims to cover ${narrow}, but not for ${name}`);
        },
      ),
      { numRuns: 10_000 },
    );
    assert.ok(covered > 200, `only ${covered} pairs said anything`);
  });

  it('is bounded in work: a pattern made to backtrack ends at once', () => {
    const started = performance.now();
    assert.ok(!matchesText(`${'**a'.repeat(8)}b`, 'a'.repeat(30_000)));
    assert.ok(performance.now() - started < 2_000);
  });

  it('is refused where it could not mean anything', () => {
    assert.match(patternFault('') ?? '', /must not be empty/);
    assert.match(patternFault('a***') ?? '', /Three stars/);
    assert.match(patternFault('*a'.repeat(17)) ?? '', /at most 16 stars/);
    assert.match(patternFault('a'.repeat(513)) ?? '', /at most 512 characters/);
    assert.equal(patternFault('a'.repeat(512)), null);
  });
});
