/**
 * The server's side of SASL on one connection: handshake v0 (raw tokens) and v1, OAUTHBEARER (RFC 7628) and PLAIN
 * (RFC 4616) with a token as the password, and re-authentication (KIP-368).
 *
 *   start ── handshake ──→ chosen ── token ──→ authenticated ── handshake ──→ chosen (again) …
 *     any failure ends the connection: a client that could not say who it is gets no second try on it
 */
import { AuthenticationError, type TokenVerifier } from '../../identity/identity.ts';
import { SluiceError } from '../../lib/errors.ts';
import { tokenBytesMax } from '../../lib/limits.ts';
import type { KafkaAuthenticationSettings } from '../../model/settings.ts';
import type { Principal } from '../../model/principal.ts';

export type Mechanism = 'OAUTHBEARER' | 'PLAIN';

/** KIP-368: at most one re-authentication per second. */
const reauthenticationIntervalMsMin = 1_000;

/** Why a credential was refused: `message` is for the client, `detail` for the log. */
export class SaslFailure extends SluiceError<string> {
  readonly detail: string;
  readonly claimedId: string;
  readonly claimedIssuer: string;

  constructor(
    code: string,
    message: string,
    detail: string = message,
    claimedId: string = '',
    claimedIssuer: string = '',
  ) {
    super(code, message);
    this.detail = detail;
    this.claimedId = claimedId;
    this.claimedIssuer = claimedIssuer;
  }
}

export class Authentication {
  readonly #settings: KafkaAuthenticationSettings;
  readonly #verifier: TokenVerifier;
  readonly #tls: boolean;
  #chosen: Mechanism | null = null;
  #rawTokens = false;
  #used: Mechanism | null = null;
  #principal: Principal | null = null;
  #authenticatedAtMs = 0;

  constructor(settings: KafkaAuthenticationSettings, verifier: TokenVerifier, tls: boolean) {
    this.#settings = settings;
    this.#verifier = verifier;
    this.#tls = tls;
  }

  /** True after handshake v0: the next frame is a bare token without a Kafka header. */
  get expectsRawToken(): boolean {
    return this.#chosen !== null && this.#rawTokens;
  }

  /** True between a handshake and its token: nothing else may come in between. */
  get underWay(): boolean {
    return this.#chosen !== null;
  }

  get mechanism(): Mechanism | null {
    return this.#used;
  }

  get mechanisms(): readonly Mechanism[] {
    return this.#settings.mechanisms;
  }

  /** @returns false where the mechanism is not offered (error 33) */
  choose(mechanism: string, version: number): boolean {
    const offered = this.#settings.mechanisms.find((name) => name === mechanism);
    if (offered === undefined) return false;
    this.#chosen = offered;
    this.#rawTokens = version === 0;
    return true;
  }

  /**
   * Takes the client's message of the chosen mechanism.
   *
   * @throws SaslFailure
   */
  async authenticate(bytes: Buffer, nowMs: number): Promise<Principal> {
    const mechanism = this.#chosen;
    if (mechanism === null)
      throw new SaslFailure('no-handshake', 'SaslAuthenticate came without a SaslHandshake before it.');
    if (!this.#tls && !this.#settings.allowTokensWithoutTls) {
      throw new SaslFailure(
        'tls-required',
        'Tokens are taken over TLS only on this port. Connect with security.protocol=SASL_SSL.',
      );
    }
    if (this.#principal !== null && nowMs - this.#authenticatedAtMs < reauthenticationIntervalMsMin) {
      throw new SaslFailure('reauthenticated-too-soon', 'Re-authentication is taken once a second at most.');
    }
    const { token, authorizationId } = mechanism === 'PLAIN' ? readPlain(bytes) : readOauthbearer(bytes);
    const principal = await this.#verify(token);
    if (authorizationId !== '' && authorizationId !== principal.id) {
      throw new SaslFailure(
        'authorization-id-refused',
        `The authorization id is not the token's own identity, ${principal.id}. Leave it out.`,
        'the client asked to act as somebody else',
        principal.id,
        principal.issuer,
      );
    }
    this.#checkRenewal(principal, mechanism);
    this.#principal = principal;
    this.#used = mechanism;
    this.#chosen = null;
    this.#authenticatedAtMs = nowMs;
    return principal;
  }

  async #verify(token: string): Promise<Principal> {
    try {
      return await this.#verifier.verify(token);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      throw new SaslFailure(error.code, error.message, error.detail, error.claimedId, error.claimedIssuer);
    }
  }

  /** KIP-368: the same principal over the same mechanism, else the connection would change hands. */
  #checkRenewal(principal: Principal, mechanism: Mechanism): void {
    const before = this.#principal;
    if (before === null) return;
    if (before.id !== principal.id || before.issuer !== principal.issuer || before.kind !== principal.kind) {
      throw new SaslFailure(
        'principal-changed',
        'A connection cannot be re-authenticated as another identity. Open a new connection.',
        `the connection belongs to ${before.id} of ${before.issuer}`,
        principal.id,
        principal.issuer,
      );
    }
    if (mechanism !== this.#used) {
      throw new SaslFailure(
        'mechanism-changed',
        `A connection cannot be re-authenticated over ${mechanism}: it began with ${this.#used ?? ''}.`,
      );
    }
  }
}

interface PresentedToken {
  readonly token: string;
  readonly authorizationId: string;
}

/**
 * RFC 4616 §2: `[authzid] NUL authcid NUL passwd`. The token is the password; the user name says nothing that the
 * token does not prove, so any is taken.
 */
function readPlain(bytes: Buffer): PresentedToken {
  checkSize(bytes);
  const parts = bytes.toString('utf8').split('\0');
  const [authorizationId, user, token] = parts;
  if (
    parts.length !== 3 ||
    authorizationId === undefined ||
    user === undefined ||
    token === undefined ||
    token === ''
  ) {
    throw malformed('PLAIN', 'it must be authorization id, user name and token, with NUL between them');
  }
  if (authorizationId !== '' && authorizationId !== user) {
    throw malformed('PLAIN', 'the authorization id must be empty or the user name');
  }
  return { token, authorizationId: '' };
}

/** RFC 7628 §3.1: `n,[a=authzid],^Aauth=Bearer TOKEN^A[key=value^A]*^A`. */
function readOauthbearer(bytes: Buffer): PresentedToken {
  checkSize(bytes);
  const text = bytes.toString('utf8');
  const header = /^[ny],(?:a=([^,\x01]*))?,\x01/.exec(text);
  if (header === null) throw malformed('OAUTHBEARER', 'it must begin with n,, and a ^A');
  if (!text.endsWith('\x01\x01')) throw malformed('OAUTHBEARER', 'it must end with two ^A');
  const pairs = text.slice(header[0].length, -2).split('\x01');
  const credentials = pairs.filter((pair) => pair.startsWith('auth='));
  const [credential] = credentials;
  if (credentials.length !== 1 || credential === undefined) throw malformed('OAUTHBEARER', 'it must hold auth= once');
  const bearer = /^auth=Bearer ([A-Za-z0-9\-._~+/]+=*)$/i.exec(credential);
  if (bearer?.[1] === undefined) throw malformed('OAUTHBEARER', 'auth= must hold "Bearer" and a token');
  const authorizationId = (header[1] ?? '').replaceAll('=2C', ',').replaceAll('=3D', '=');
  return { token: bearer[1], authorizationId };
}

function checkSize(bytes: Buffer): void {
  if (bytes.length > tokenBytesMax)
    throw new SaslFailure('token-too-large', `The token is longer than ${tokenBytesMax} bytes.`);
}

function malformed(mechanism: Mechanism, detail: string): SaslFailure {
  return new SaslFailure('malformed', `The ${mechanism} message is malformed: ${detail}.`);
}
