import type { JsonObject } from './json.ts';

/** What stands behind an identity: a person, a long-running service, one run of a pipeline step, or an AI agent. */
export type PrincipalKind = 'user' | 'workload' | 'job' | 'agent';

export const principalKinds: readonly PrincipalKind[] = ['user', 'workload', 'job', 'agent'];

/** How the principal proved itself on this connection. */
export type CredentialType = 'jwt' | 'client-certificate';

/** An authenticated identity. Equal identities have equal `issuer` and `id`. */
export interface Principal {
  readonly kind: PrincipalKind;
  /** Unique within `issuer`: a token's mapped subject, or a certificate's mapped name. */
  readonly id: string;
  /** The configured NAME of the issuer (not its URL), or `mtls` for a client certificate. */
  readonly issuer: string;
  readonly groups: readonly string[];
  /** The verified claims of the token, or `{ subject, san, serial }` of the certificate. */
  readonly claims: JsonObject;
  /** Milliseconds since the epoch at which the credential dies; `null` only where it has no end. */
  readonly expiresAtMs: number | null;
  readonly credential: {
    readonly type: CredentialType;
    /** Tells two credentials of one principal apart without revealing either: a token's `jti`, else a digest; a certificate's SHA-256. */
    readonly id: string;
  };
}
