import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDurationMs, parseSizeBytes } from './units.ts';

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

test('sizes carry their unit', () => {
  const cases: readonly (readonly [string, number | null])[] = [
    ['64MB', 64_000_000],
    ['64MiB', 67_108_864],
    ['1.5 GB', 1_500_000_000],
    ['12B', 12],
    ['2TiB', 2_199_023_255_552],
    ['64', null],
    ['64mb', null],
    ['-1MB', null],
    ['1Mi', null],
    ['999999999999TB', null],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSizeBytes(text), bytes, text);
});

test('what is formatted reads back', () => {
  for (const ms of [1, 999, 1_000, 90_000, 540_000, 3_600_000, 86_400_000])
    assert.equal(parseDurationMs(formatDuration(ms)), ms);
});
