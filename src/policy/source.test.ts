import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Problems } from './problems.ts';
import { isWithinBounds, piecesOf, readDocuments } from './source.ts';
import { formatted } from './test-kit.ts';

interface Found {
  values: readonly unknown[];
  problems: readonly string[];
}

function read(text: string, divided: boolean = true): Found {
  const problems = new Problems();
  const source = { path: 'p.yaml', text };
  const pieces = divided ? piecesOf(source) : [{ ...source, firstLine: 1 }];
  const documents = isWithinBounds(source, problems) ? pieces.flatMap((piece) => readDocuments(piece, problems)) : [];
  return {
    values: documents.map(({ value }) => JSON.parse(JSON.stringify(value)) as unknown),
    problems: problems.list().map(formatted),
  };
}

describe('dividing a file at its document markers', () => {
  const lines = [
    '---',
    '--- a: 1',
    '--- |',
    '---x',
    '...',
    '%YAML 1.2',
    '# c',
    '',
    'a: 1',
    'b: [1,',
    '  2]',
    '- x',
    '-',
    'c: |',
    '  text',
    '---\r',
    'd: "open',
    'close"',
    '  --- ',
    "e: 'it''s",
    "'",
    'spec:',
    '  allow:',
    '    - f: 1',
    '{',
    '}',
    '? k',
    ': v',
    '\t',
    '>-',
  ];

  it('finds what the whole file says, or problems where the whole file has some', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...lines), { maxLength: 14 }), (chosen) => {
        const text = chosen.join('\n');
        const whole = read(text, false);
        const divided = read(text);
        if (whole.problems.length === 0) assert.deepEqual(divided, whole, JSON.stringify(text));
        else assert.notEqual(divided.problems.length, 0, JSON.stringify(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps lines and columns', () => {
    const text = 'a: 1\n---\nb: 1\nb: 2\n---\n- c: *x\n';
    assert.deepEqual(read(text), read(text, false));
    assert.equal(read(text).problems.length, 2);
  });
});

describe('reading policy files', () => {
  it('takes several YAML documents, skips empty ones, and keeps no and on as text', () => {
    const { values, problems } = read('# first\na: no\n---\n---\n# nothing\n---\nb: [on, yes, 0777, 2027-03-31]\n');
    assert.deepEqual(problems, []);
    assert.deepEqual(values, [{ a: 'no' }, { b: ['on', 'yes', 777, '2027-03-31'] }]);
  });

  it('takes JSON, indented with tabs', () => {
    assert.deepEqual(read('{\n\t"a": [\n\t\t{ "b": true }\n\t]\n}\n'), {
      values: [{ a: [{ b: true }] }],
      problems: [],
    });
  });

  it('reports a syntax error at its place', () => {
    const { problems } = read('a: 1\nb: [1, 2\nc: 3\n');
    assert.match(problems[0] ?? '', /^p\.yaml:3:1: /);
  });

  it('refuses duplicate keys, also when quoted differently', () => {
    assert.deepEqual(read('a: 1\nb:\n  c: 1\n  "c": 2\n').problems, [
      'p.yaml:4:3: The key "c" stands here twice. Keep one.',
    ]);
  });

  it('refuses keys that are no text, and keys that would set a prototype', () => {
    assert.match(read('1: a').problems.join(), /p\.yaml:1:1: A key must be text/);
    assert.match(read('? [a]\n: b').problems.join(), /A key must be text/);
    assert.match(
      read('a:\n  __proto__: { admin: true }').problems.join(),
      /p\.yaml:2:3: The key "__proto__" is not allowed/,
    );
    assert.match(read('{"__proto__": {"admin": true}}').problems.join(), /not allowed/);
  });

  it('keeps other prototype names as plain keys', () => {
    assert.deepEqual(read('constructor: 1\ntoString: 2').values, [{ constructor: 1, toString: 2 }]);
  });

  it('refuses merge keys, tags, numbers that are none and other YAML versions', () => {
    assert.deepEqual(
      read('a:\n  <<: { b: 1 }').values,
      [{ a: { '<<': { b: 1 } } }],
      'a merge key is a key like any other, unknown to every shape',
    );
    assert.match(read('a: !!binary aGVsbG8=').problems.join(), /Unresolved tag/);
    assert.match(read('a: !!js/function "x"').problems.join(), /tag/);
    assert.match(read('a: "\\ud800"').problems.join(), /lone surrogate/);
    assert.match(read('{"\\udc00": 1}').problems.join(), /A key must be text/);
    assert.match(read('a: .nan').problems.join(), /finite number/);
    assert.match(read('%YAML 1.1\n---\na: no').problems.join(), /YAML 1\.2/);
  });

  it('refuses anchors and aliases, so that a small file cannot stand for a large value', () => {
    const lines = Array.from(
      { length: 9 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array.from({ length: 9 }, () => `*a${level}`).join(', ')}]`,
    );
    const started = performance.now();
    const { values, problems } = read(['a0: &a0 lol', ...lines].join('\n'));
    assert.deepEqual(values, []);
    assert.match(problems[0] ?? '', /^p\.yaml:1:\d+: Anchors are not supported/);
    assert.ok(performance.now() - started < 2_000);
  });

  for (const [name, bomb] of [
    ['flow lists', '['.repeat(100_000)],
    ['closed flow lists', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
    ['flow maps', '{a: '.repeat(50_000)],
    ['list dashes', '- '.repeat(20_000)],
    ['indentation', Array.from({ length: 2_000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')],
    ['many keys', `{${Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`).join(', ')}, k1: 2}`],
  ] as const) {
    it(`ends with a problem, in bounded time, on a bomb of ${name}`, () => {
      const started = process.cpuUsage();
      const { values, problems } = read(bomb);
      assert.deepEqual(values, []);
      assert.ok(problems.length > 0);
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 10_000_000, 'microseconds of CPU: the machine may be busy with other things');
    });
  }

  it('refuses a file beyond the bound before it parses it', () => {
    const { problems } = read(`a: "${'x'.repeat(16_777_216)}"`);
    assert.deepEqual(problems, ['p.yaml:1:1: The file is larger than 16 MiB. Split it into several.']);
  });
});
