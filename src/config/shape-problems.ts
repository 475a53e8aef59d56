/** What the schema library reports, in our words and at the place people look for. */
import type * as z from 'zod';
import type { PlacedDocument } from './document.ts';
import type { KeyPath, PlacedProblem } from './problem.ts';
import { messageSeparator } from './shape.ts';

type Issue = z.core.$ZodIssue;

/** Turns every issue into problems: one per unknown key, one per missing key, and for an alternative those of the branch that was meant. */
export function shapeProblems(issues: readonly Issue[], document: PlacedDocument): readonly PlacedProblem[] {
  return issues.flatMap((issue) => problemsOf(issue, [], document));
}

function problemsOf(issue: Issue, prefix: KeyPath, document: PlacedDocument): readonly PlacedProblem[] {
  const at = [...prefix, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split(messageSeparator);
    return issue.keys.map((key, index) => ({
      at: [...at, key],
      onKey: true,
      message: messages[index] ?? `Unknown key "${key}".`,
    }));
  }
  const last = at.at(-1);
  if (issue.code !== 'custom' && typeof last === 'string' && !document.has(at)) {
    return [{ at, message: `"${last}" is missing. ${hint(issue.message)}`.trim() }];
  }
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((branch) =>
      branch.every((inner) => inner.path.length > 0 || !isTypeMismatch(inner)),
    );
    if (meant !== undefined) return meant.flatMap((inner) => problemsOf(inner, at, document));
  }
  return [{ at, message: issue.message }];
}

function isTypeMismatch(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union';
}

/** Wording that says nothing that "missing" does not is dropped. */
function hint(message: string): string {
  return /^(Invalid |Write a (text|name))/.test(message) ? '' : message;
}
