/** As classic-groups.test.ts, for the tests that have to do with consumer groups, with those of KIP-848. */
import { test } from 'node:test';
import { checkSuite } from './check.ts';

test('every test of librdkafka about groups ends alike with consumer groups of KIP-848', (t) =>
  checkSuite(t, 'consumer'));
