/** The shape of the section `recording` of `sluice.yaml`. */
import type * as z from 'zod';
import type { RecordingSettings } from '../model/settings.ts';
import { defined } from './defined.ts';
import { duration, filePath, section, size, word } from './shape.ts';

const dayMs = 86_400_000;
const mebibyte = 1_048_576;

export function recording(base: string): z.ZodType<RecordingSettings, unknown> {
  return section({
    directory: filePath(base).prefault('./recordings'),
    key: filePath(base).optional(),
    mode: word(['strict', 'available']).default('strict'),
    retention: duration(60_000, 36_500 * dayMs).optional(),
    limits: section({
      segment: size(mebibyte, 1_024 * 1_024 * mebibyte).default(64 * mebibyte),
      minFree: size(0, Number.MAX_SAFE_INTEGER).default(256 * mebibyte),
    }).prefault({}),
  }).transform(({ directory, key, mode, retention, limits }) => ({
    directory,
    // Beside the folder and not in it: whoever is given a copy of the recordings is not given their key.
    keyFile: key ?? `${directory}-key`,
    mode,
    segmentBytesMax: limits.segment,
    freeBytesMin: limits.minFree,
    ...defined({ retentionMs: retention }),
  }));
}
