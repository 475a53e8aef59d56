import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { compilePolicies } from './compile.ts';
import { compileCondition } from './condition.ts';
import { compiled, context, nowMs, problemsOf } from './test-kit.ts';

const full = `apiVersion: sluice/v1
kind: Policy
metadata: { name: readers, owner: data }
spec:
  subjects:
    - group: eng
  allow:
    - port: orders
      topics: [payments, "payments.*"]
      actions: [describe, read]
      partitions: [0, '4-6']
      when: principal.claims.mfa == true && now > timestamp('2027-01-01T00:00:00Z')
  review: { by: 2027-03-31 }
`;

describe('docs/policy.md', () => {
  const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n([^]*?)```/g)].map((found) => found[1] ?? '');

  it('shows a policy that loads', () => {
    const buildkite = {
      name: 'buildkite',
      issuer: 'https://agent.buildkite.com',
      requiredClaims: {},
      kinds: ['job' as const],
      mapsGroups: false,
    };
    assert.deepEqual(problemsOf([blocks[0] ?? ''], { ...context, issuers: [buildkite] }), []);
    assert.equal(compiled([blocks[0] ?? ''], { ...context, issuers: [buildkite] }).policies[0], 'payments-readers');
  });

  it('shows conditions that compile', () => {
    const shown = [...page.matchAll(/^when: (.*)$/gm)].map((found) => found[1] ?? '');
    assert.ok(shown.length >= 4);
    for (const text of shown) assert.ok(compileCondition(text).ok, text);
  });
});

describe('any text', () => {
  it('is compiled or refused with places inside it, and never throws', () => {
    const edits = fc.array(
      fc.tuple(
        fc.nat(full.length),
        fc.nat(6),
        fc.oneof(
          fc.constantFrom('', '\n', ': ', '- ', '{', ']', '"', '*', '&a ', '!!x ', '\t', '[[', '\ud800', '---\n', '%'),
          fc.string({ maxLength: 4, unit: 'binary' }),
        ),
      ),
      { maxLength: 4 },
    );
    let refused = 0;
    fc.assert(
      fc.property(edits, (list) => {
        const text = list.reduce((so, [at, cut, add]) => `${so.slice(0, at)}${add}${so.slice(at + cut)}`, full);
        const result = compilePolicies([{ path: 'x.yaml', text }], context, nowMs);
        if (result.ok) return;
        refused++;
        const lines = text.split(/\r\n|[\n\r]/).length;
        for (const { line, column, message } of result.problems) {
          assert.ok(line >= 1 && line <= lines + 1 && column >= 1 && message !== '', `${line}:${column}: ${message}`);
          assert.ok(!/invalid input|expected .* received/i.test(message), `a message for programmers: ${message}`);
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(refused > 50, String(refused));
  });
});
