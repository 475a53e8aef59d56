import { SluiceError } from '../lib/errors.ts';

/** Why a credential was refused, one line per code: the table the documentation and the audit catalogue are made from. */
export const authenticationErrors: {
  readonly [Code in AuthenticationErrorCode]: { readonly meaning: string; readonly action: string };
} = {
  malformed: {
    meaning: 'The token is not a well-formed signed JWT.',
    action: 'Send the access token exactly as the issuer gave it, and have the issuer give out JWTs.',
  },
  'token-too-large': {
    meaning: 'The token is larger than the gateway takes.',
    action: 'Have the issuer put less into it.',
  },
  'wrong-type': {
    meaning: 'The token was made for another purpose than access (its `typ`).',
    action: 'Send an access token.',
  },
  'unknown-issuer': {
    meaning: 'No configured issuer has exactly this `iss`.',
    action: 'Fetch the token from a configured issuer, or add the issuer.',
  },
  'algorithm-refused': {
    meaning: 'The token is signed with an algorithm this issuer is not configured for.',
    action: 'Change the signing algorithm at the issuer, or list it under the issuer.',
  },
  'unknown-key': {
    meaning: 'The issuer does not publish the key the token names.',
    action: 'Fetch a new token; the key was perhaps retired.',
  },
  'bad-signature': {
    meaning: 'The signature does not match: the token was altered or made by someone else.',
    action: 'Fetch a new token, and find out who made this one.',
  },
  'wrong-audience': {
    meaning: 'The token was made for another service.',
    action: 'Ask the issuer for a token with this gateway’s audience.',
  },
  expired: { meaning: 'The token or certificate is past its end.', action: 'Fetch a new one.' },
  'not-yet-valid': { meaning: 'The token or certificate is not valid yet.', action: 'Check the clocks.' },
  'missing-claim': {
    meaning: 'A claim the gateway needs is not in the token.',
    action: 'Have the issuer add it, or change the mapping.',
  },
  'invalid-claim': {
    meaning: 'A claim the gateway needs has a value it cannot use.',
    action: 'Have the issuer correct it, or change the mapping.',
  },
  'tenant-refused': {
    meaning: 'The issuer is right, but the token belongs to another tenant of it.',
    action: 'Use an identity of the configured tenant.',
  },
  'issuer-unavailable': {
    meaning: 'The issuer’s keys cannot be fetched, and the last good ones are too old or there never were any.',
    action: 'Try again; see to the issuer and to the way to it.',
  },
  'certificate-missing': { meaning: 'The client sent no certificate.', action: 'Configure the client with one.' },
  'certificate-untrusted': {
    meaning: 'The certificate was not issued by a CA that this listener trusts, or is not meant for clients.',
    action:
      'Use a certificate of one of those CAs, or add its CA to the listener; the log has the TLS library’s reason.',
  },
  'certificate-invalid': {
    meaning: 'The certificate’s names cannot be read without doubt.',
    action: 'Have it issued again.',
  },
  'certificate-unmapped': {
    meaning: 'The certificate is trusted, but no mapping rule matches its names.',
    action: 'Add a rule, or use another certificate.',
  },
};

export type AuthenticationErrorCode =
  | 'malformed'
  | 'token-too-large'
  | 'wrong-type'
  | 'unknown-issuer'
  | 'algorithm-refused'
  | 'unknown-key'
  | 'bad-signature'
  | 'wrong-audience'
  | 'expired'
  | 'not-yet-valid'
  | 'missing-claim'
  | 'invalid-claim'
  | 'tenant-refused'
  | 'issuer-unavailable'
  | 'certificate-missing'
  | 'certificate-untrusted'
  | 'certificate-invalid'
  | 'certificate-unmapped';

export interface AuthenticationErrorOptions {
  readonly detail?: string;
  readonly claimedId?: string | undefined;
  readonly claimedIssuer?: string | undefined;
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/**
 * A credential was refused. `message` is for the client: what was wrong and what to do. Neither it nor `detail` ever
 * holds the token, its signature or a key.
 */
export class AuthenticationError extends SluiceError<AuthenticationErrorCode> {
  /** For the log: key id, algorithm, issuer, times. One line. */
  readonly detail: string;
  /** Who the credential says it is. NOT verified; at most 256 characters, without control characters. */
  readonly claimedId: string | undefined;
  /** The issuer the credential names. NOT verified; bounded like `claimedId`. */
  readonly claimedIssuer: string | undefined;

  constructor(code: AuthenticationErrorCode, message: string, options: AuthenticationErrorOptions = {}) {
    super(code, message, { cause: options.cause, retriable: options.retriable ?? false });
    this.detail = options.detail ?? message;
    this.claimedId = options.claimedId === undefined ? undefined : printable(options.claimedId);
    this.claimedIssuer = options.claimedIssuer === undefined ? undefined : printable(options.claimedIssuer);
  }
}

const printedCharsMax = 255;

/**
 * What the network sent, made fit for a message or a log line: control, format and line-separator characters and lone
 * surrogates become `?`, and no more than 256 characters are kept.
 */
export function printable(text: string): string {
  const clean = text.slice(0, printedCharsMax).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
  return text.length > printedCharsMax ? `${clean}…` : clean;
}
