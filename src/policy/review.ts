/** Review dates: a policy lapses unless somebody certifies it again in time. */
import type { PolicyDocument, RoleDocument } from './document.ts';
import type { Problems } from './problems.ts';
import type { PlacedDocument } from './source.ts';

const dayMs = 86_400_000;
/** Warned of in time to act. */
const warningDays = 14;

/** The first millisecond after the review day, which ends in UTC; Infinity for a policy without one. */
export function lapseTimeMs(document: PolicyDocument): number {
  const by = document.spec.review?.by;
  return by === undefined ? Infinity : Date.parse(`${by}T00:00:00Z`) + dayMs;
}

export function reviewWarning(
  document: PolicyDocument | RoleDocument,
  placed: PlacedDocument,
  nowMs: number,
  warnings: Problems,
): void {
  if (document.kind !== 'Policy' || document.spec.review === undefined) return;
  const lapsesAtMs = lapseTimeMs(document);
  if (nowMs < lapsesAtMs - warningDays * dayMs) return;
  const { name, owner } = document.metadata;
  const who = owner === undefined ? 'Its owner' : `Its owner, ${owner},`;
  const advice = `${who} reviews it and writes a later day in spec.review.by.`;
  const { by } = document.spec.review;
  const message =
    nowMs < lapsesAtMs
      ? `Policy "${name}" lapses at the end of ${by} (UTC): its allow rules then stop granting. ${advice}`
      : `Policy "${name}" lapsed at the end of ${by} (UTC): its allow rules grant nothing, its deny rules stay. ${advice}`;
  warnings.add({ path: placed.path, ...placed.placeOf(['spec', 'review', 'by']), message });
}
