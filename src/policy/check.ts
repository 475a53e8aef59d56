/** What the shape of a document cannot say: names that must exist, rules that must be able to take effect, subjects that must bind. */
import { nearest } from '../lib/nearest.ts';
import { resourceTypes } from '../model/operation.ts';
import type { ResourceType } from '../model/operation.ts';
import { actionSet, actionsIn, meaningful } from './actions.ts';
import type { Placed, PolicyDocument, RoleDocument, RuleDocument, SubjectDocument } from './document.ts';
import { asksToRecord, unsupported } from './obligations.ts';
import { parseClaimPath } from './claims.ts';
import { matches, parsePattern } from './pattern.ts';
import type { PolicyContext } from './contract.ts';
import type { Problems } from './problems.ts';
import { partitionRange } from './rule.ts';
import type { KeyPath } from './source.ts';
import { tenancyFault } from './tenancy.ts';

type Report = (at: KeyPath, message: string) => void;

/** What may be named: ports and issuers of the configuration, roles of the documents. */
export interface Known {
  readonly context: PolicyContext;
  readonly roles: ReadonlySet<string>;
}

export function checkDocument(
  { document, placed }: Placed<PolicyDocument | RoleDocument>,
  known: Known,
  problems: Problems,
): void {
  const report: Report = (at, message) => problems.add({ path: placed.path, ...placed.placeOf(at), message });
  if (document.kind === 'Policy') checkPolicy(document, known, report);
  else if (document.spec.allow === undefined && document.spec.deny === undefined)
    report(['spec'], 'This role has no rules. Write allow or deny.');
  for (const effect of ['allow', 'deny'] as const) {
    document.spec[effect]?.forEach((rule, index) => checkRule(rule, ['spec', effect, index], known.context, report));
  }
}

function checkPolicy({ spec }: PolicyDocument, known: Known, report: Report): void {
  if (spec.allow === undefined && spec.deny === undefined && spec.roles === undefined)
    report(['spec'], 'This policy has no rules. Write allow, deny or roles.');
  spec.subjects.forEach((subject, index) => checkSubject(subject, ['spec', 'subjects', index], known.context, report));
  spec.roles?.forEach((role, index) => {
    if (!known.roles.has(role))
      report(['spec', 'roles', index], `There is no kind: Role document named "${role}". ${hint(role, known.roles)}`);
    if (spec.roles?.indexOf(role) !== index)
      report(['spec', 'roles', index], `The role "${role}" stands here twice. Keep one.`);
  });
}

/** Certificates are an issuer of their own, which every gateway knows. */
const certificateIssuer = 'mtls';

function checkSubject(subject: SubjectDocument, at: KeyPath, context: PolicyContext, report: Report): void {
  const names = [...context.issuers.map((issuer) => issuer.name), certificateIssuer];
  const unknown = subject.issuer?.find((issuer) => !names.includes(issuer));
  subject.issuer?.forEach((issuer, index) => {
    if (names.includes(issuer)) return;
    const byUrl = context.issuers.find((one) => one.issuer === issuer);
    const advice = byUrl === undefined ? hint(issuer, names) : `Write its name, "${byUrl.name}".`;
    report([...at, 'issuer', index], `The configuration has no issuer named "${issuer}". ${advice}`);
  });
  for (const name of Object.keys(subject.claims ?? {})) {
    if (parseClaimPath(name) === null)
      report(
        [...at, 'claims', name],
        `"${name}" is no path to a claim. Separate steps by dots; put a step that holds dots in double quotes inside single quotes: '"https://x.y/groups"'.`,
      );
  }
  const fault = unknown === undefined ? tenancyFault(subject, context) : null;
  if (fault !== null) report(at, fault);
}

function checkRule(rule: RuleDocument, at: KeyPath, context: PolicyContext, report: Report): void {
  const ports = context.ports.map((port) => port.name);
  const pattern = parsePattern(rule.port, 'name');
  if (!ports.some((port) => matches(pattern, port)))
    report([...at, 'port'], `No configured port matches "${rule.port}". ${hint(rule.port, ports)}`);
  const resources = resourcesOf(rule);
  if (resources.length === 0)
    report(
      at,
      'This rule names no resource. Write at least one of topics, consumerGroups, transactionalIds and cluster: true.',
    );
  else checkActions(rule, resources, at, report);
  checkPartitions(rule, at, report);
  for (const { key, message } of unsupported(rule)) report([...at, key], message);
  if (asksToRecord(rule) && context.recording !== true)
    report([...at, 'record'], 'This gateway keeps no recordings: its configuration has no section recording.');
}

function resourcesOf(rule: RuleDocument): readonly ResourceType[] {
  const present = {
    topic: rule.topics,
    group: rule.consumerGroups,
    'transactional-id': rule.transactionalIds,
    cluster: rule.cluster,
  };
  return resourceTypes.filter((type) => present[type] !== undefined);
}

const fieldNames: Readonly<Record<ResourceType, string>> = {
  topic: 'topics',
  group: 'consumerGroups',
  'transactional-id': 'transactionalIds',
  cluster: 'cluster',
};

function checkActions(rule: RuleDocument, resources: readonly ResourceType[], at: KeyPath, report: Report): void {
  const possible = resources.reduce((set, type) => set | meaningful[type], 0);
  rule.actions.forEach((action, index) => {
    if (action === '*' || (actionSet([action]) & possible) !== 0) return;
    const elsewhere = resourceTypes
      .filter((type) => (meaningful[type] & actionSet([action])) !== 0)
      .map((type) => fieldNames[type]);
    report(
      [...at, 'actions', index],
      `"${action}" means nothing for ${resources.map((type) => fieldNames[type]).join(', ')}: it needs ${elsewhere.join(' or ')}. Possible here: ${actionsIn(possible).join(', ')}.`,
    );
  });
}

function checkPartitions(rule: RuleDocument, at: KeyPath, report: Report): void {
  if (rule.partitions === undefined) return;
  if (rule.topics === undefined)
    report([...at, 'partitions'], 'Only topics have partitions. Write topics, or remove this key.');
  rule.partitions.forEach((text, index) => {
    const { first, last } = partitionRange(text);
    if (first > last) report([...at, 'partitions', index], `The range "${text}" ends before it begins.`);
    else if (last > 2_147_483_647) report([...at, 'partitions', index], 'Partition numbers end at 2147483647.');
  });
}

function hint(word: string, known: Iterable<string>): string {
  const words = [...known].toSorted();
  const near = nearest(word, words);
  if (near !== null) return `Did you mean "${near}"?`;
  return words.length === 0
    ? 'None is defined.'
    : `Known: ${words.slice(0, 10).join(', ')}${words.length > 10 ? ', …' : ''}.`;
}
