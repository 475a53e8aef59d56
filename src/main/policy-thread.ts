/** A thread that reads and checks policies: see `PolicyChecker`. */
import { parentPort } from 'node:worker_threads';
import { KnownDocuments, checkPolicies } from '../policy/policy.ts';
import type { CheckQuestion } from './policies.ts';

/** Most edits change one document of many. */
const known = new KnownDocuments();

parentPort?.on('message', ({ files, context, nowMs }: CheckQuestion) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage(checkPolicies(files, context, nowMs, known));
});
