/** The door of the identity part: credentials in, principals out. */
import type { Principal } from '../model/principal.ts';

/** Verifies bearer tokens of every configured issuer. A verified token is remembered until it expires. */
export interface TokenVerifier {
  /** @throws AuthenticationError which of the reasons it was */
  verify(token: string): Promise<Principal>;
  /** Fetches discovery documents and keys ahead of the first token; never throws, an outage is logged and retried. */
  start(): Promise<void>;
  /** One line per issuer for health and metrics. */
  status(): readonly { readonly issuer: string; readonly keys: number; readonly keysAgeMs: number | null; readonly usable: boolean }[];
  close(): void;
}
