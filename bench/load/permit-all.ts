/** A policy that permits everything by one rule, and costs nothing to ask: what is measured is what comes after it. */
import type { Decision } from '../../src/model/decision.ts';
import type { PolicySet } from '../../src/policy/policy.ts';

const rule = { policy: 'payments-readers', effect: 'allow', index: 0, source: 'payments.yaml:12' } as const;
const permit: Decision = Object.freeze({ effect: 'permit', reason: 'allowed', rule, revision: 'bench' });
export const policies: PolicySet = {
  revision: 'bench',
  policies: ['payments-readers'],
  accessFor: () => ({
    revision: 'bench',
    decide: () => permit,
    decideAny: () => permit,
    settled: () => true,
    stretch: () => permit,
  }),
};
