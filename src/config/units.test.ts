import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDurationMs } from './units.ts';

test('lengths of time carry their unit', () => {
  const cases: readonly (readonly [string, number | null])[] = [
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5h', 5_400_000],
    ['2d', 172_800_000],
    [' 10 s ', 10_000],
    ['30', null],
    ['-1s', null],
    ['1w', null],
    ['1M', null],
    ['', null],
    ['999999999999d', null],
  ];
  for (const [text, ms] of cases) assert.equal(parseDurationMs(text), ms, text);
});

test('what is formatted reads back', () => {
  for (const ms of [1, 999, 1_000, 90_000, 540_000, 3_600_000, 86_400_000])
    assert.equal(parseDurationMs(formatDuration(ms)), ms);
});
