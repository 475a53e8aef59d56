/** What retention would remove, from the files alone: also while a gateway writes them. */
import type { RetentionSettings } from '../../model/settings.ts';
import { checkpointSizes } from '../checkpoint/store.ts';
import { listSegments } from '../read/segments.ts';
import { planRetention } from './plan.ts';
import type { RetentionPlan } from './plan.ts';

/** @throws SluiceError `hold-malformed`, `hold-unreadable`; system errors where the folder cannot be read */
export async function previewRetention(
  directory: string,
  settings: RetentionSettings,
  nowMs: number,
): Promise<RetentionPlan> {
  const segments = await listSegments(directory);
  const signed = (await checkpointSizes(directory)).length > 0;
  // The last one may be written; those before it are closed, and signed within seconds.
  const last = segments.at(-1)?.name;
  return planRetention(segments, settings, nowMs, (name) => signed && name !== last);
}
