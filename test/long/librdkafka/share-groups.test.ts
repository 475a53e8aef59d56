/** As classic-groups.test.ts, for the tests of share consumers (KIP-932). */
import { test } from 'node:test';
import { checkSuite } from './check.ts';

test('every test of librdkafka about share consumers ends through the gateway as it does without', (t) =>
  checkSuite(t, 'share'));
