/** A thread that reads and checks policies: see `PolicyChecker`. */
import { parentPort } from 'node:worker_threads';
import { checkPolicies } from '../policy/policy.ts';
import type { CheckQuestion } from './policies.ts';

parentPort?.on('message', ({ files, context, nowMs }: CheckQuestion) => {
  parentPort?.postMessage(checkPolicies(files, context, nowMs));
});
