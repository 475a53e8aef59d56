import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compilePolicies } from './compile.ts';
import { compiled, context, formatted, nowMs, policy, problemsOf, role } from './test-kit.ts';

/** A whole document in the words people write, with one line to be replaced. */
function document(lines: { readonly [line: string]: string } = {}): string {
  const text = {
    metadata: 'metadata: { name: readers, owner: data }',
    subject: '    - group: eng',
    port: '    - port: orders',
    topics: '      topics: [payments, "payments.*"]',
    actions: '      actions: [describe, read]',
    more: '',
    end: '',
    ...lines,
  };
  return `apiVersion: sluice/v1\nkind: Policy\n${text.metadata}\nspec:\n  subjects:\n${text.subject}\n  allow:\n${text.port}\n${text.topics}\n${text.actions}\n${text.more}\n${text.end}\n`;
}

function problem(lines: { readonly [line: string]: string }): string {
  const problems = problemsOf([document(lines)]);
  assert.equal(problems.length, 1, problems.join('\n'));
  return problems[0] ?? '';
}

describe('the shape of documents', () => {
  it('takes the whole document', () => {
    assert.deepEqual(problemsOf([document()]), []);
  });

  for (const [name, lines, expected] of [
    [
      'an unknown key, at the key',
      { topics: '      topcs: [payments]' },
      /^0\.yaml:9:7: Unknown key "topcs" in this allow rule\. Did you mean "topics"\?/,
    ],
    [
      'an unknown key that is like none',
      { more: '      colour: red' },
      /^0\.yaml:11:7: Unknown key "colour".*Known here: port, topics/,
    ],
    [
      'a wrong action',
      { actions: '      actions: [describe, raed]' },
      /^0\.yaml:10:27: Write one of read, .*Did you mean read\?/,
    ],
    [
      'an action that means nothing there',
      { actions: '      actions: [read, idempotent-write]' },
      /^0\.yaml:10:23: "idempotent-write" means nothing for topics: it needs cluster\./,
    ],
    [
      'a missing key, at the rule',
      { actions: '' },
      /^0\.yaml:8:7: The key "actions" is missing\. Write a list of actions\./,
    ],
    ['an empty list', { topics: '      topics: []' }, /^0\.yaml:9:15: Name at least one of the topics/],
    ['a text where a list is meant', { topics: '      topics: payments' }, /^0\.yaml:9:15: Write a list of topics/],
    [
      'a topic that cannot be',
      { topics: '      topics: ["payments\\\\..+"]' },
      /^0\.yaml:9:16: No topic can match "payments\\\.\.\+"/,
    ],
    [
      'a rule without a resource',
      { topics: '' },
      /^0\.yaml:8:7: This rule names no resource|^0\.yaml:8:11: This rule names no resource/,
    ],
    [
      'partitions without topics',
      { topics: '      consumerGroups: [g]', more: '      partitions: [1]' },
      /^0\.yaml:11:19: Only topics have partitions/,
    ],
    [
      'a range that runs backwards',
      { more: '      partitions: [0, "9-3"]' },
      /^0\.yaml:11:23: The range "9-3" ends before it begins/,
    ],
    ['a partition below 0', { more: '      partitions: [-1]' }, /^0\.yaml:11:20: Write a partition number/],
    [
      'a port that is not configured',
      { port: '    - port: order' },
      /^0\.yaml:8:13: No configured port matches "order"\. Did you mean "orders"\?/,
    ],
    [
      'a port pattern that matches none',
      { port: '    - port: "prod-*"' },
      /^0\.yaml:8:13: No configured port matches "prod-\*"\. Known: metrics, orders\./,
    ],
    [
      'an unknown issuer',
      { subject: '    - { issuer: crp, group: eng }' },
      /^0\.yaml:6:17: The configuration has no issuer named "crp"\. Did you mean "corp"\?/,
    ],
    [
      'an issuer by its URL',
      { subject: '    - { issuer: "https://idp.example", group: eng }' },
      /Write its name, "corp"/,
    ],
    [
      'an empty subject',
      { subject: '    - {}' },
      /^0\.yaml:6:7: This subject asks for nothing and would match everybody/,
    ],
    ['claims without a claim', { subject: '    - { claims: {} }' }, /^0\.yaml:6:17: Name at least one claim/],
    [
      'a claim without values',
      { subject: '    - { claims: { a: [] } }' },
      /^0\.yaml:6:22: Name at least one of the values/,
    ],
    [
      'a claim that must be null',
      { subject: '    - { claims: { a: null } }' },
      /^0\.yaml:6:22: Write text, a number, true, false/,
    ],
    ['a claim path that is none', { subject: '    - { claims: { "a..b": x } }' }, /"a\.\.b" is no path to a claim/],
    [
      'a claim number beyond exactness',
      { subject: '    - { claims: { a: 12345678901234567890 } }' },
      /too large to be exact/,
    ],
    ['a wildcard in a group', { subject: '    - group: "eng*"' }, /^0\.yaml:6:14: Here names are compared exactly/],
    [
      'an unknown kind',
      { subject: '    - { kind: jobs, id: a }' },
      /^0\.yaml:6:15: Write one of user, workload, job, agent\. Did you mean job\?/,
    ],
    [
      'an unknown role',
      { end: '  roles: [topic-browser]' },
      /^0\.yaml:12:11: There is no kind: Role document named "topic-browser"\. None is defined\./,
    ],
    ['a day that is none', { end: '  review: { by: 2027-02-30 }' }, /^0\.yaml:12:17: Write a day as YYYY-MM-DD/],
    [
      'a name that is none',
      { metadata: 'metadata: { name: Readers }' },
      /^0\.yaml:3:19: A name has up to 128 lower-case letters/,
    ],
    ['cluster: false', { more: '      cluster: false' }, /^0\.yaml:11:16: Write cluster: true, or remove this key/],
    [
      'a condition that is no CEL, at its place',
      { more: '      when: principal.id ==' },
      /^0\.yaml:11:\d+: The condition is not valid CEL/,
    ],
    [
      'a condition on what is not there',
      { more: '      when: "true && principal.name == \'x\'"' },
      /^0\.yaml:11:\d+: principal has no "name"/,
    ],
  ] as const) {
    it(`reports ${name}`, () => {
      assert.match(problem(lines), expected);
    });
  }

  it('reports every problem of every file, in order', () => {
    const problems = problemsOf([
      document({ topics: '      topcs: [a]', port: '    - port: nowhere', end: '  reviews: {}' }),
      document({ actions: '      actions: [raed]' }),
    ]);
    assert.deepEqual(
      problems.map((text) => text.split(':').slice(0, 2).join(':')),
      ['0.yaml:9', '0.yaml:12', '1.yaml:10'],
    );
  });

  it('refuses other kinds, other versions and what is no map', () => {
    assert.match(problemsOf(['- a']).join(), /0\.yaml:1:1: A document is a map/);
    assert.match(problemsOf(['kind: policy']).join(), /0\.yaml:1:7: Write kind: Policy or kind: Role/);
    assert.match(
      problemsOf([document().replace('sluice/v1', 'sluice/v2')]).join(),
      /0\.yaml:1:13: Write apiVersion: sluice\/v1/,
    );
  });

  it('refuses two documents of one kind and name, and names the place of the first', () => {
    const problems = problemsOf([document(), document()]);
    assert.deepEqual(problems, [
      '1.yaml:3:19: There is already a Policy named "readers", at 0.yaml:3. Names are unique: choose another.',
    ]);
  });

  it('cuts a flood of problems off and counts the rest', () => {
    const problems = problemsOf([Array.from({ length: 150 }, () => 'kind: Nope').join('\n---\n')]);
    assert.equal(problems.length, 101);
    assert.match(problems.at(-1) ?? '', /There are 50 more problems/);
  });
});

describe('obligations', () => {
  for (const [name, line, key] of [
    ['mask', '      mask: [{ fields: [card.number], with: last4 }]', 'mask'],
    ['limit', '      limit: { bytesPerSecond: 5MB }', 'limit'],
    [
      'require',
      '      require: { approval: { reviewers: [owners], min: 1, requestTtl: 1h, maxDuration: 2h } }',
      'require',
    ],
    ['onMaskError', '      onMaskError: deny', 'onMaskError'],
  ] as const) {
    it(`are refused until they are enforced: ${name}`, () => {
      assert.match(problem({ more: line }), new RegExp(`^0\\.yaml:11:\\d+: "${key}" is not supported yet\\. .* yet`));
    });
  }

  it('are checked in shape all the same', () => {
    assert.match(problem({ more: '      limit: { bytesPerSecond: fast }' }), /Write a size with its unit/);
    assert.match(problem({ more: '      mask: [{ with: last4 }]' }), /either fields or detect/);
    assert.match(problem({ more: '      require: { approval: { reviewers: [a], min: 0 } }' }), /Must be at least 1/);
  });

  it('let record: none pass, which promises nothing', () => {
    assert.deepEqual(problemsOf([document({ more: '      record: none' })]), []);
  });

  it('are not for deny rules', () => {
    const deny = policy('p', { deny: [{ port: 'orders', topics: ['a'], actions: ['*'], record: 'full' }] });
    assert.match(problemsOf([deny]).join(), /Only allow rules can carry "record"/);
  });

  it('are refused in roles, too', () => {
    assert.match(
      problemsOf([
        role('r', {
          allow: [{ port: 'orders', topics: ['a'], actions: ['read'], mask: [{ detect: ['ssn'], with: 'redact' }] }],
        }),
      ]).join(),
      /not supported yet/,
    );
  });
});

describe('the revision', () => {
  it('does not change with spelling, order of files or comments, and does with meaning', () => {
    const other = policy('zebra', { allow: [{ port: 'orders', topics: ['a'], actions: ['read'] }] });
    const one = compiled([document(), other]).revision;
    assert.match(one, /^[0-9a-f]{64}$/);
    assert.equal(
      compiled([
        other,
        `# said anew\n${document({ topics: '      topics:\n        - payments\n        - payments.*' })}`,
      ]).revision,
      one,
    );
    assert.equal(compiled([`${other}\n---\n${document({ subject: '    - { group: [eng] }' })}`]).revision, one);
    assert.notEqual(compiled([document({ topics: '      topics: [payments]' }), other]).revision, one);
  });

  it('of no documents denies everything', () => {
    const none = compiled([]);
    assert.deepEqual(none.policies, []);
    assert.match(none.revision, /^[0-9a-f]{64}$/);
  });
});

describe('review dates', () => {
  function warningsAt(now: string): readonly string[] {
    const result = compilePolicies(
      [{ path: 'r.yaml', text: document({ end: '  review: { by: 2027-03-31 }' }) }],
      context,
      Date.parse(now),
    );
    assert.ok(result.ok);
    return result.warnings.map(formatted);
  }

  it('are warned of for fourteen days, and once they have passed', () => {
    assert.deepEqual(warningsAt('2027-03-17T23:59:59.999Z'), []);
    assert.match(
      warningsAt('2027-03-18T00:00:00Z').join(),
      /^r\.yaml:12:17: Policy "readers" lapses at the end of 2027-03-31 \(UTC\).*Its owner, data,/,
    );
    assert.match(warningsAt('2027-03-31T23:59:59.999Z').join(), /lapses at the end/);
    assert.match(warningsAt('2027-04-01T00:00:00Z').join(), /lapsed at the end of 2027-03-31/);
  });
});

it('names its policies in order', () => {
  const rules = { allow: [{ port: 'orders', topics: ['a'], actions: ['read'] }] };
  assert.deepEqual(compiled([policy('b', rules), policy('a', rules), role('r', rules)]).policies, ['a', 'b']);
  assert.ok(nowMs > 0);
});
