/** Policies of a given number of rules, of which the load's topics need the last ones. */
import { topicName } from '../load/frames.ts';

const rulesPerPolicy = 1_000;

/** One rule that permits everything on every topic. */
export const openPolicy: string = document('open', [
  "    - { port: orders, topics: ['**'], actions: ['*'], consumerGroups: ['**'] }",
]);

/**
 * So many rules: literals, prefixes and globs of other teams, with a deny in each document, and in the last one
 * the rules for the load's own topics, one each.
 */
export function policyOf(rules: number, topics: number): string {
  const own = Array.from({ length: topics }, (_, index) => allow(topicName(index)));
  const others = Array.from({ length: Math.max(0, rules - topics) }, (_, index) => allow(otherTopic(index)));
  const lines = [...others, ...own];
  const documents: string[] = [];
  for (let first = 0; first < lines.length; first += rulesPerPolicy) {
    const part = lines.slice(first, first + rulesPerPolicy);
    documents.push(document(`part-${documents.length}`, part, `secrets-${documents.length}.*`));
  }
  return documents.join('---\n');
}

function allow(topic: string): string {
  return `    - { port: orders, topics: ['${topic}'], actions: [describe, read, write], consumerGroups: ['bench-*'] }`;
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
