/** What changes from one revision to the next, rule by rule, for the person who has to approve it. */
import canonicalize from 'canonicalize';
import { stringify } from 'yaml';
import type { PolicySet } from './contract.ts';
import type { PolicyDocument, RoleDocument } from './document.ts';
import { contentOf } from './policy-set.ts';

export interface DiffLine {
  readonly sign: '+' | '-';
  /** `subjects`, `allow`, `deny`, `roles`, `review`, `owner` or `description`. */
  readonly part: string;
  /** The subject, rule or value as YAML on one line. */
  readonly text: string;
}

export interface DocumentDiff {
  readonly change: 'added' | 'removed' | 'changed';
  readonly kind: 'Policy' | 'Role';
  readonly name: string;
  /** Removed before added. Empty where only the order of a list changed, which changes no decision. */
  readonly lines: readonly DiffLine[];
}

export interface PolicyDiff {
  /** Revisions. */
  readonly before: string;
  readonly after: string;
  /** Sorted by kind and name; empty where nothing changed. */
  readonly documents: readonly DocumentDiff[];
}

type AnyDocument = PolicyDocument | RoleDocument;

/** @throws SluiceError `foreign-policy-set` for a set that `compilePolicies` did not make */
export function diffPolicies(before: PolicySet, after: PolicySet): PolicyDiff {
  const old = byName(contentOf(before).documents);
  const young = byName(contentOf(after).documents);
  const names = [...new Set([...old.keys(), ...young.keys()])].toSorted();
  const documents = names.flatMap((name) => documentDiff(old.get(name), young.get(name)) ?? []);
  return { before: before.revision, after: after.revision, documents };
}

function byName(documents: readonly AnyDocument[]): Map<string, AnyDocument> {
  // A kind has no slash, so that no two documents share a key.
  return new Map(documents.map((document) => [`${document.kind}/${document.metadata.name}`, document]));
}

function documentDiff(before: AnyDocument | undefined, after: AnyDocument | undefined): DocumentDiff | null {
  const document = after ?? before;
  if (document === undefined || canonicalize(before) === canonicalize(after)) return null;
  const { kind, metadata } = document;
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  const old = before === undefined ? [] : partsOf(before);
  const young = after === undefined ? [] : partsOf(after);
  return {
    change,
    kind,
    name: metadata.name,
    lines: [...minus(old, young, '-'), ...minus(young, old, '+')].toSorted(byPart),
  };
}

function partsOf(document: AnyDocument): readonly Omit<DiffLine, 'sign'>[] {
  const lists: readonly (readonly [string, readonly unknown[] | undefined])[] = [
    ['owner', document.metadata.owner === undefined ? [] : [document.metadata.owner]],
    ['description', document.metadata.description === undefined ? [] : [document.metadata.description]],
    ['subjects', document.kind === 'Policy' ? document.spec.subjects : []],
    ['allow', document.spec.allow],
    ['deny', document.spec.deny],
    ['roles', document.kind === 'Policy' ? document.spec.roles : []],
    ['review', document.kind === 'Policy' && document.spec.review !== undefined ? [document.spec.review] : []],
  ];
  return lists.flatMap(([part, values]) => (values ?? []).map((value) => ({ part, text: oneLine(value) })));
}

/** What is in `these` and not in `those`, each as often as it is there more often. */
function minus(
  these: readonly Omit<DiffLine, 'sign'>[],
  those: readonly Omit<DiffLine, 'sign'>[],
  sign: '+' | '-',
): DiffLine[] {
  const left = new Map<string, number>();
  const keyOf = ({ part, text }: Omit<DiffLine, 'sign'>): string => `${part}\n${text}`;
  for (const line of those) left.set(keyOf(line), (left.get(keyOf(line)) ?? 0) + 1);
  return these.flatMap((line) => {
    const count = left.get(keyOf(line)) ?? 0;
    left.set(keyOf(line), count - 1);
    return count > 0 ? [] : [{ sign, ...line }];
  });
}

const partOrder = ['owner', 'description', 'subjects', 'allow', 'deny', 'roles', 'review'];

/** The sort is stable: within one part removed lines stay before added ones. */
function byPart(a: DiffLine, b: DiffLine): number {
  return partOrder.indexOf(a.part) - partOrder.indexOf(b.part);
}

function oneLine(value: unknown): string {
  return stringify(value, {
    collectionStyle: 'flow',
    lineWidth: 0,
    aliasDuplicateObjects: false,
    defaultStringType: 'PLAIN',
  })
    .replace(/\s*\n\s*/g, ' ')
    .trim();
}

const signs = { added: '+', removed: '-', changed: ' ' } as const;

/** One line per change; the first column is `+`, `-` or a space, as in a patch. */
export function formatDiff(diff: PolicyDiff): string {
  if (diff.documents.length === 0) return 'No difference.\n';
  const lines = diff.documents.flatMap((document) => [
    `${signs[document.change]} ${document.kind} ${document.name} (${document.change})`,
    ...document.lines.map(({ sign, part, text }) => `${sign}   ${part}: ${text}`),
    ...(document.lines.length === 0 ? ['    only the order of its rules'] : []),
  ]);
  return `${lines.join('\n')}\n`;
}
