/** Policies of a given number of rules, of which the load's topics need the last ones. */
import { topicName } from '../load/frames.ts';

const rulesPerPolicy = 1_000;

/** One rule that permits everything on every topic. */
export const openPolicy: string = document('open', [
  "    - { port: orders, topics: ['**'], actions: ['*'], consumerGroups: ['**'] }",
]);

/**
 * So many rules: literals, prefixes and globs of other teams, with a deny in each document, and the load's own at the
 * end: one for each topic where there are rules enough, else one for each first digit of the topics' numbers.
 */
export function policyOf(rules: number, topics: number): string {
  const own =
    rules > topics ? names(topics).map(allow) : Array.from({ length: 10 }, (_, digit) => allow(`${topicName(digit)}*`));
  const others = Array.from({ length: Math.max(0, rules - own.length) }, (_, index) => allow(otherTopic(index)));
  const lines = [...others, ...own];
  const documents: string[] = [];
  for (let first = 0; first < lines.length; first += rulesPerPolicy) {
    const part = lines.slice(first, first + rulesPerPolicy);
    documents.push(document(`part-${documents.length}`, part, `secrets-${documents.length}.*`));
  }
  return documents.join('---\n');
}

function names(topics: number): string[] {
  return Array.from({ length: topics }, (_, index) => topicName(index));
}

function allow(topic: string): string {
  return `    - { port: orders, topics: ['${topic}'], actions: [describe, read, write] }`;
}

function otherTopic(index: number): string {
  if (index % 4 === 0) return `team${index}.*`;
  if (index % 4 === 1) return `team${index}.*.events`;
  return `team${index}.topic`;
}

function document(name: string, rules: readonly string[], denied?: string): string {
  const deny = denied === undefined ? '' : `  deny:\n    - { port: orders, topics: ['${denied}'], actions: ['*'] }\n`;
  return `apiVersion: sluice/v1
kind: Policy
metadata: { name: ${name} }
spec:
  subjects:
    - { id: bench, issuer: idp }
  allow:
${rules.join('\n')}
${deny}`;
}
