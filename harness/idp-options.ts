/** What a test may ask of the IdP. */
import type { JWTPayload } from 'jose';
import type { SigningAlgorithm } from './idp-keys.ts';

export interface IdpClient {
  readonly id: string;
  readonly secret: string;
  readonly groups?: readonly string[];
  /** Value of the `kind` claim; none by default. */
  readonly kind?: string;
  /** More claims of this client's tokens; they replace the provider's own of the same name, `sub` included. */
  readonly claims?: JWTPayload;
  /** Lifetime of its tokens, in seconds. */
  readonly ttlSeconds?: number;
}

/** A person who can approve a device flow. */
export interface IdpUser {
  readonly id: string;
  readonly groups?: readonly string[];
  readonly claims?: JWTPayload;
}

export interface IdpOptions {
  readonly clients?: readonly IdpClient[];
  readonly users?: readonly IdpUser[];
  /** Signs where a token asks for nothing else; RS256. Keys for both are always published. */
  readonly algorithm?: SigningAlgorithm;
  /** Where a request names no resource; `sluice`. */
  readonly audience?: string;
  /** Lifetime where the client names none, in seconds; 300. */
  readonly ttlSeconds?: number;
  /** Address to listen on and the host in the issuer's URL; 127.0.0.1. */
  readonly host?: string;
  /** 0, a free one, by default. */
  readonly port?: number;
  /** PEM; makes the issuer https. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface TokenOptions {
  /** Sent as the resource indicator `urn:audience:NAME`, or as it is where it is a URL. */
  readonly audience?: string;
  readonly scope?: string;
  readonly ttlSeconds?: number;
  readonly algorithm?: SigningAlgorithm;
  readonly claims?: JWTPayload;
}
