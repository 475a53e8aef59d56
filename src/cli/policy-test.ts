/** `sluice policy test`: one principal, one operation, the decision and the rule that made it. */
import { resolve } from 'node:path';
import { nearest } from '../lib/nearest.ts';
import type { Decision, DecisionReason } from '../model/decision.ts';
import type { Operation } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Settings } from '../model/settings.ts';
import { explain } from '../policy/policy.ts';
import type { Explanation } from '../policy/policy.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { compileOrFail, loadConfiguration } from './load.ts';
import { parseOperation } from './operation-options.ts';
import type { OperationOptions } from './operation-options.ts';
import { CommandError, coloured } from './output.ts';
import type { Output } from './output.ts';
import { parsePrincipal, readPrincipal } from './principal-option.ts';

export interface PolicyTestOptions extends OperationOptions {
  readonly config: string;
  /** A folder or file instead of the configured folder. */
  readonly policies?: string | undefined;
  readonly principal?: string | undefined;
  readonly principalFile?: string | undefined;
  readonly port?: string | undefined;
  readonly at?: string | undefined;
}

/** @throws CommandError where what is asked makes no sense, or the policies have problems */
export async function runPolicyTest(options: PolicyTestOptions, output: Output): Promise<ExitCode> {
  const operation = parseOperation(options);
  const nowMs = parseTime(options.at);
  const { settings } = await loadConfiguration(options.config);
  const port = choosePort(options.port, settings);
  const principal = await choosePrincipal(options, settings);
  const path = options.policies === undefined ? settings.policyDirectory : resolve(options.policies);
  const policies = await compileOrFail(path, settings, nowMs);
  const explanation = explain(policies, principal, port, operation, nowMs);
  const { decision, rules } = explanation;
  const at = new Date(nowMs).toISOString();
  output.json({ ...decision, principal: publicPart(principal), port, operation, at, rules });
  for (const line of verdictLines(decision, { operation, principal, port })) output.line(line);
  for (const line of nearMisses(explanation)) output.line(line);
  return decision.effect === 'permit' ? exitCodes.ok : exitCodes.denied;
}

const reasons: Readonly<Record<DecisionReason, string>> = {
  allowed: 'an allow rule matches and no deny rule does',
  'denied-by-rule': 'a deny rule matches',
  'no-matching-rule': 'no rule matches: what is not allowed is denied',
  'condition-failed': 'the condition of an allow rule could not be evaluated, so it grants nothing',
  'no-policy': 'no policy is loaded',
};

function verdictLines(
  decision: Decision,
  {
    operation,
    principal,
    port,
  }: { readonly operation: Operation; readonly principal: Principal; readonly port: string },
): readonly string[] {
  const { action, resourceType, resourceName, partition } = operation;
  const where = partition === undefined ? '' : ` partition ${partition}`;
  const verdict = decision.effect === 'permit' ? coloured('green', 'PERMIT') : coloured('red', 'DENY');
  const { rule } = decision;
  return [
    `${verdict}  ${principal.kind} ${principal.id} (${principal.issuer})  ${action} ${resourceType} ${resourceName}${where}  on port ${port}`,
    `reason    ${reasons[decision.reason]}`,
    ...(rule === null ? [] : [`rule      ${rule.policy} ${rule.effect}[${rule.index}]  ${rule.source}`]),
    `revision  ${decision.revision.slice(0, 12)}`,
  ];
}

const nearMissesMax = 3;

/** Where no rule matched: those that nearly did, and what kept them from it. */
function nearMisses({ decision, rules }: Explanation): readonly string[] {
  if (decision.rule !== null) return [];
  const allows = rules.filter(({ rule }) => rule.effect === 'allow').slice(0, nearMissesMax);
  return allows.map(({ rule, obstacles }) => {
    const why = obstacles.map(({ detail }) => detail).join('; ');
    return `nearest   ${rule.policy} allow[${rule.index}]  ${rule.source}: ${why}`;
  });
}

function publicPart({
  kind,
  id,
  issuer,
  groups,
  claims,
}: Principal): Pick<Principal, 'kind' | 'id' | 'issuer' | 'groups' | 'claims'> {
  return { kind, id, issuer, groups, claims };
}

function choosePort(name: string | undefined, settings: Settings): string {
  const names = settings.ports.map((port) => port.name);
  const [only, ...more] = names;
  if (name === undefined && only !== undefined && more.length === 0) return only;
  if (name === undefined)
    throw new CommandError(exitCodes.usage, `Say which port is asked: --port, one of ${names.join(', ')}.`);
  if (names.includes(name)) return name;
  const near = nearest(name, names);
  const hint = near === null ? `It has ${names.join(', ')}.` : `Did you mean "${near}"?`;
  throw new CommandError(exitCodes.usage, `The configuration has no port "${name}". ${hint}`);
}

async function choosePrincipal(options: PolicyTestOptions, settings: Settings): Promise<Principal> {
  const issuers = settings.issuers.map(({ name }) => name);
  if (options.principal !== undefined && options.principalFile !== undefined) {
    throw new CommandError(exitCodes.usage, 'Give --principal or --principal-file, not both.');
  }
  if (options.principal !== undefined) return parsePrincipal(options.principal, issuers);
  if (options.principalFile !== undefined) return readPrincipal(options.principalFile, issuers);
  throw new CommandError(
    exitCodes.usage,
    "Say who asks: --principal 'id=alice,group=payments-eng', or --principal-file FILE.",
  );
}

function parseTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const ms = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(ms))
    throw new CommandError(
      exitCodes.usage,
      `--at takes a date or a time with its zone, such as 2027-04-01T00:00:00Z; "${text}" is neither.`,
    );
  return ms;
}
