import { auditEvent } from '../audit/audit.ts';
import type { AuditLog } from '../audit/audit.ts';
import { auditDetailCharsMax, authenticationFoldsMax, foldMs } from '../lib/limits.ts';
import { printable } from '../lib/printable.ts';
import type { ClientFacts } from '../model/session.ts';
import type { AuthenticationFailure } from './contract.ts';
import { clientData, nameData } from './entry-data.ts';
import { Folds } from './folds.ts';

/** Refused credentials in the log. They belong to no session: nothing about who it was is known. */
export class AuthenticationFailures {
  readonly #audit: AuditLog;
  readonly #folds = new Folds(foldMs, authenticationFoldsMax);

  constructor(audit: AuditLog) {
    this.#audit = audit;
  }

  add(failure: AuthenticationFailure, client: ClientFacts, nowMs: number): void {
    const key = JSON.stringify([client.port, client.address, failure.code]);
    this.#folds.add(key, JSON.stringify([client.port, failure.code]), nowMs, (count, more) => {
      const data = {
        port: nameData(client.port),
        client: clientData(client),
        failure: { code: nameData(failure.code), detail: printable(failure.detail, auditDetailCharsMax) },
        claimed: { id: nameData(failure.claimedId), issuer: nameData(failure.claimedIssuer) },
        count,
      };
      this.#audit.append(auditEvent('authentication.failed', more ? { ...data, more_addresses: true } : data));
    });
  }

  sweep(nowMs: number): void {
    this.#folds.sweep(nowMs);
  }

  flush(): void {
    this.#folds.flush();
  }
}
