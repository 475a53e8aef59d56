import { createHash } from 'node:crypto';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';

/** One key per identity and port: what connections are counted by. JSON keeps the parts apart whatever they hold. */
export function principalKey(principal: Principal, port: string): string {
  return JSON.stringify([port, principal.issuer, principal.id]);
}

/**
 * One key per session. Everything that a decision or an entry rests on is part of it: an issuer that gives one `jti`
 * to two tokens with different groups must not lend the groups of one to the other.
 */
export function sessionKey(principal: Principal, client: ClientFacts): string {
  const { kind, groups, expiresAtMs, claims, credential } = principal;
  const grounds = createHash('sha256')
    .update(JSON.stringify([kind, groups, expiresAtMs, claims]))
    .digest('base64');
  return JSON.stringify([
    client.port,
    principal.issuer,
    principal.id,
    credential.type,
    credential.id,
    grounds,
    client.address,
    client.clientId,
    client.softwareName,
    client.softwareVersion,
    client.mechanism,
    client.tls,
  ]);
}
