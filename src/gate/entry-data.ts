/** Sessions and decisions in the words of the audit log. Whatever came from a client is cleaned and bounded here. */
import { constantData } from '../audit/audit.ts';
import type { AuthorizationData, ClientData, CredentialData, PrincipalData } from '../audit/audit.ts';
import { auditGroupsMax, auditNameCharsMax } from '../lib/limits.ts';
import { printable } from '../lib/printable.ts';
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';

export function nameData(name: string): string {
  return printable(name, auditNameCharsMax);
}

/** Every entry of a session holds it: written out once. */
export function principalData(principal: Principal): PrincipalData {
  const groups = principal.groups.slice(0, auditGroupsMax).map(nameData);
  const data = { kind: principal.kind, id: nameData(principal.id), issuer: nameData(principal.issuer), groups };
  const more = principal.groups.length - groups.length;
  return constantData<PrincipalData>(more > 0 ? { ...data, groups_more: more } : data);
}

/** As `principalData`. */
export function clientData(client: ClientFacts): ClientData {
  return constantData<ClientData>({
    address: nameData(client.address),
    client_id: nameData(client.clientId),
    software: nameData([client.softwareName, client.softwareVersion].filter((part) => part !== '').join(' ')),
    mechanism: nameData(client.mechanism),
    tls: client.tls,
  });
}

export function credentialData(principal: Principal): CredentialData {
  return { type: principal.credential.type, id: nameData(principal.credential.id) };
}

/** One operation and the answer to it. */
export interface Decided {
  readonly decision: Decision;
  readonly action: Action;
  readonly resourceType: ResourceType;
  /** As `nameData` gave it. */
  readonly name: string;
  /** -1 where the operation touches no single partition. */
  readonly partition: number;
  /** Whether any resource of the type would have done. */
  readonly any: boolean;
}

export function authorizationData(decided: Decided): AuthorizationData {
  const { rule, effect, reason } = decided.decision;
  const data: AuthorizationData = {
    granted: effect === 'permit',
    operation: decided.action,
    resourceType: decided.resourceType,
    resourceName: decided.name,
    patternType: decided.any ? 'any' : 'literal',
    reason,
    rule: rule && {
      policy: nameData(rule.policy),
      effect: rule.effect,
      index: rule.index,
      source: nameData(rule.source),
    },
  };
  return decided.partition < 0 ? data : { ...data, partition: decided.partition };
}
