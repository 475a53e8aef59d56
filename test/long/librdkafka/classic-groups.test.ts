/**
 * librdkafka's own tests, straight at the brokers and through the gateway: each ends alike, or the difference stands in
 * differences.ts with its reason.
 *
 * SLUICE_LONG_BUDGET=short runs a handful. SLUICE_LIBRDKAFKA=0081,0103 runs only these. SLUICE_LIBRDKAFKA_JOBS=4 runs so
 * many at a time instead of two.
 */
import { test } from 'node:test';
import { checkSuite } from './check.ts';

test('every test of librdkafka ends through the gateway as it does without', (t) => checkSuite(t, 'classic'));
