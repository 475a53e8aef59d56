/**
 * Cost of one policy decision for a principal whose table is warm, with 10, 1,000 and 100,000 rules: nanoseconds and heap
 * bytes, medians of interleaved rounds. Also what comes before: compiling the documents, and a principal's first table.
 *
 *   sh scripts/node.sh bench/policy-decision.ts
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compilePolicies } from '../src/policy/policy.ts';
import type { Access, PolicySet } from '../src/policy/policy.ts';
import type { Principal } from '../src/model/principal.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const rounds = 7;
const decisionsPerRound = 2_000_000;
const nowMs = 1_795_000_000_000;
const context = {
  ports: [{ name: 'orders', protocol: 'kafka' as const }],
  issuers: [{ name: 'corp', issuer: 'https://idp.example', requiredClaims: {} }],
};

function principal(id: string): Principal {
  const credential = { type: 'jwt' as const, id };
  return { kind: 'user', id, issuer: 'corp', groups: ['readers'], claims: { sub: id }, expiresAtMs: null, credential };
}

/** Policies of 100 rules: literals, prefixes, globs, partitions and denies, all for one group. */
function policyText(rules: number): string {
  const policies: string[] = [];
  for (let policy = 0; policy * 100 < rules; policy++) {
    const allow: string[] = [];
    for (let rule = policy * 100; rule < Math.min(rules, (policy + 1) * 100); rule++) {
      const topics =
        rule % 4 === 0 ? `[ 'team${rule}.*' ]` : rule % 4 === 1 ? `[ 'team${rule}.*.events' ]` : `[ topic${rule} ]`;
      allow.push(
        `    - { port: orders, topics: ${topics}, actions: [read, write]${rule % 10 === 3 ? ", partitions: ['0-3']" : ''} }`,
      );
    }
    const deny = `  deny:\n    - { port: orders, topics: ['secret${policy}.*'], actions: ['*'] }`;
    policies.push(
      `apiVersion: sluice/v1\nkind: Policy\nmetadata: { name: p${policy} }\nspec:\n  subjects: [{ group: readers }]\n  allow:\n${allow.join('\n')}\n${deny}\n`,
    );
  }
  return policies.join('---\n');
}

function timed<Result>(work: () => Result): { readonly result: Result; readonly ms: number } {
  const start = performance.now();
  const result = work();
  return { result, ms: performance.now() - start };
}

function compile(rules: number): PolicySet {
  const compiled = compilePolicies([{ path: 'bench.yaml', text: policyText(rules) }], context, nowMs);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  return compiled.policies;
}

/** As a gateway asks: a few thousand names over and over, most of them permitted, some not. */
function names(rules: number): readonly string[] {
  return Array.from({ length: 2_048 }, (_, index) => {
    const rule = (index * 7919) % rules;
    const permitted = rule % 4 === 0 ? `team${rule}.a.b` : rule % 4 === 1 ? `team${rule}.a.events` : `topic${rule}`;
    return index % 16 === 0 ? `unknown${rule}` : permitted;
  });
}

function round(access: Access, topics: readonly string[]): { ns: number; bytes: number; permitted: number } {
  let permitted = 0;
  collect();
  const before = process.memoryUsage().heapUsed;
  const start = process.hrtime.bigint();
  for (let index = 0; index < decisionsPerRound; index++) {
    const decision = access.decide(
      index % 3 === 0 ? 'write' : 'read',
      'topic',
      topics[index & 2_047] ?? '',
      index & 7,
      nowMs,
    );
    if (decision.effect === 'permit') permitted++;
  }
  const elapsed = process.hrtime.bigint() - start;
  const bytes = process.memoryUsage().heapUsed - before;
  return { ns: Number(elapsed) / decisionsPerRound, bytes: bytes / decisionsPerRound, permitted };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const cases = [10, 1_000, 100_000].map((rules) => {
  const { result: policies, ms: compileMs } = timed(() => compile(rules));
  const { result: access, ms: firstMs } = timed(() => policies.accessFor(principal('first'), 'orders'));
  const { ms: nextMs } = timed(() => policies.accessFor(principal('next'), 'orders'));
  return {
    rules,
    access,
    compileMs,
    firstMs,
    nextMs,
    topics: names(rules),
    measured: [] as { ns: number; bytes: number; permitted: number }[],
  };
});
for (let index = 0; index <= rounds; index++) {
  for (const one of cases) {
    const measured = round(one.access, one.topics);
    if (index > 0) one.measured.push(measured); // the first round warms up
  }
}
process.stdout.write(
  '   rules   ns/decision   heap bytes/decision   permitted   compile ms   first table ms   next principal ms\n',
);
for (const { rules, measured, compileMs, firstMs, nextMs } of cases) {
  const permitted = (100 * (measured[0]?.permitted ?? 0)) / decisionsPerRound;
  const cells = [
    String(rules).padStart(8),
    median(measured.map(({ ns }) => ns))
      .toFixed(0)
      .padStart(13),
    median(measured.map(({ bytes }) => bytes))
      .toFixed(3)
      .padStart(21),
    `${permitted.toFixed(0)} %`.padStart(11),
    compileMs.toFixed(0).padStart(12),
    firstMs.toFixed(1).padStart(16),
    nextMs.toFixed(1).padStart(19),
  ];
  process.stdout.write(`${cells.join(' ')}\n`);
}
