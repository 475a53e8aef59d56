import type { IssuerSettings } from '../model/settings.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { issuerFetchTimeoutMs, issuerRefetchCooldownMs, issuerRefreshIntervalMs } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import { AuthenticationError, printable } from './authentication-error.ts';
import { fetchIssuerDocument, isSafeIssuerUrl } from './issuer-document.ts';
import { readKeySet } from './verification-key.ts';
import type { VerificationKey } from './verification-key.ts';

export interface KeysOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `issuerFetchTimeoutMs` where absent. */
  readonly fetchTimeoutMs?: number;
}

interface KeySet {
  readonly keys: readonly VerificationKey[];
  readonly thumbprints: ReadonlySet<string>;
  readonly fetchedAtMs: number;
}

/** Keys tried for one token: several may share a key id. */
const candidatesMax = 4;
/** Time between attempts while there are no usable keys at all. */
const retryWithoutKeysMs = 1_000;
const retryMs = { first: 1_000, max: 60_000 };

/**
 * The keys of one issuer. They are replaced as a whole by each successful fetch and never by anything in a token, so
 * that unknown key ids can neither push a good key out nor, thanks to the cool-down, make the gateway hammer the issuer.
 */
export class IssuerKeys {
  readonly #issuer: IssuerSettings;
  readonly #options: KeysOptions;
  readonly #refreshIntervalMs: number;
  #set: KeySet | undefined;
  #underWay: Promise<void> | undefined;
  #lastAttemptAtMs: number | undefined;
  #lastFailure = 'no attempt was made yet';
  #failuresInARow = 0;
  #timer: NodeJS.Timeout | undefined;
  #state: 'idle' | 'refreshing' | 'closed' = 'idle';

  constructor(issuer: IssuerSettings, options: KeysOptions) {
    this.#issuer = issuer;
    this.#options = options;
    this.#refreshIntervalMs = Math.min(issuerRefreshIntervalMs, issuer.keysMaxAgeMs / 2);
  }

  /** Fetches now and again in the background from here on. Never throws. */
  async start(): Promise<void> {
    if (this.#state === 'idle') this.#state = 'refreshing';
    await this.#fetch();
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
  }

  status(): { readonly keys: number; readonly keysAgeMs: number | null; readonly usable: boolean } {
    return {
      keys: this.#set?.keys.length ?? 0,
      keysAgeMs: this.#ageMs() ?? null,
      usable: this.#usable() !== undefined,
    };
  }

  /** Whether the issuer still published this key at the last fetch, and that fetch is not too long ago. */
  holds(thumbprint: string): boolean {
    this.#refreshWhenDue();
    return this.#usable()?.thumbprints.has(thumbprint) ?? false;
  }

  /**
   * The keys a token with this header may be signed with; without a key id that is the only fitting one.
   *
   * @throws AuthenticationError issuer-unavailable
   */
  async find(keyId: string | undefined, algorithm: string): Promise<readonly VerificationKey[]> {
    if (this.#usable() === undefined) await this.#fetchUnlessWithin(retryWithoutKeysMs);
    else this.#refreshWhenDue();
    const set = this.#usable();
    if (set === undefined) throw this.#unavailable();
    const fitting = set.keys.filter((key) => key.byAlgorithm.has(algorithm));
    if (keyId !== undefined) return fitting.filter((key) => key.keyId === keyId).slice(0, candidatesMax);
    return fitting.length === 1 ? fitting : [];
  }

  /** Looks whether the issuer has new keys, at most once per cool-down; callers at the same time share one fetch. */
  refetch(): Promise<void> {
    return this.#fetchUnlessWithin(issuerRefetchCooldownMs);
  }

  #ageMs(): number | undefined {
    // A clock that was set back must not make old keys young.
    return this.#set === undefined ? undefined : Math.abs(this.#options.clock.nowMs() - this.#set.fetchedAtMs);
  }

  #usable(): KeySet | undefined {
    const ageMs = this.#ageMs();
    return ageMs !== undefined && ageMs <= this.#issuer.keysMaxAgeMs ? this.#set : undefined;
  }

  #refreshWhenDue(): void {
    const ageMs = this.#ageMs();
    if (ageMs !== undefined && ageMs > this.#refreshIntervalMs) void this.#fetchUnlessWithin(issuerRefetchCooldownMs);
  }

  #fetchUnlessWithin(cooldownMs: number): Promise<void> {
    const sinceMs =
      this.#lastAttemptAtMs === undefined ? Infinity : Math.abs(this.#options.clock.nowMs() - this.#lastAttemptAtMs);
    if (this.#underWay === undefined && sinceMs < cooldownMs) return Promise.resolve();
    return this.#fetch();
  }

  #fetch(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    this.#underWay ??= this.#attempt().finally(() => {
      this.#underWay = undefined;
      this.#schedule();
    });
    return this.#underWay;
  }

  #schedule(): void {
    if (this.#state !== 'refreshing') return;
    clearTimeout(this.#timer);
    const afterMs =
      this.#failuresInARow === 0
        ? this.#refreshIntervalMs
        : Math.min(retryMs.max, retryMs.first * 2 ** (this.#failuresInARow - 1));
    // Spread over time, so that many gateways do not ask at once.
    this.#timer = setTimeout(() => void this.#fetch(), afterMs * (0.9 + Math.random() * 0.2));
    this.#timer.unref();
  }

  async #attempt(): Promise<void> {
    const { clock, logger } = this.#options;
    const issuer = this.#issuer.name;
    this.#lastAttemptAtMs = clock.nowMs();
    try {
      const keys = await this.#fetchKeys();
      const changed =
        this.#set === undefined ||
        keys.some(({ thumbprint }) => this.#set?.thumbprints.has(thumbprint) !== true) ||
        keys.length !== this.#set.keys.length;
      // Aged from the start of the fetch: what it brought is at least that fresh.
      this.#set = {
        keys,
        thumbprints: new Set(keys.map(({ thumbprint }) => thumbprint)),
        fetchedAtMs: this.#lastAttemptAtMs,
      };
      this.#failuresInARow = 0;
      if (keys.length === 0)
        logger.warn(
          { issuer },
          'the issuer publishes no key that fits the configured algorithms; all its tokens are refused',
        );
      else if (changed) logger.info({ issuer, keys: keys.length }, 'the keys of the issuer were fetched');
    } catch (thrown) {
      this.#failuresInARow += 1;
      this.#lastFailure = messageOf(thrown);
      const fields = { issuer, failuresInARow: this.#failuresInARow, keysAgeMs: this.#ageMs() ?? null };
      logger.warn({ ...fields, reason: this.#lastFailure }, 'the keys of the issuer could not be fetched');
    }
  }

  async #fetchKeys(): Promise<readonly VerificationKey[]> {
    const { name, caFile, algorithms, jwksUri } = this.#issuer;
    const settings = { caFile, timeoutMs: this.#options.fetchTimeoutMs ?? issuerFetchTimeoutMs };
    const address = jwksUri ?? (await discoverKeySet(this.#issuer.issuer, settings));
    const document = await fetchIssuerDocument(address, settings);
    return readKeySet(document, algorithms, (keyId, problem) =>
      this.#options.logger.warn(
        { issuer: name, keyId: keyId === undefined ? null : printable(keyId), problem },
        'a key of the issuer is not used',
      ),
    );
  }

  #unavailable(): AuthenticationError {
    return new AuthenticationError(
      'issuer-unavailable',
      `the keys of issuer ${this.#issuer.name} cannot be fetched at the moment; try again shortly`,
      {
        retriable: true,
        detail: `issuer ${this.#issuer.name} unavailable: last good keys ${this.#ageMs() ?? 'never fetched'} ms old (at most ${this.#issuer.keysMaxAgeMs}); ${this.#lastFailure}`,
      },
    );
  }
}

/** OpenID Connect Discovery 1.0 §4; §4.3: the document's issuer MUST be exactly the one that was asked for. */
async function discoverKeySet(
  issuer: string,
  settings: { readonly caFile?: string | undefined; readonly timeoutMs: number },
): Promise<string> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchIssuerDocument(address, settings);
  if (document['issuer'] !== issuer) {
    throw new Error(
      `${address}: it is of issuer ${printable(JSON.stringify(document['issuer'] ?? null))}, not exactly ${JSON.stringify(issuer)}`,
    );
  }
  const uri = document['jwks_uri'];
  if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error(`${address}: it names no jwks_uri`);
  // An issuer on the network may not send us to a service on this machine.
  const target = new URL(uri);
  if (!isSafeIssuerUrl(target) || (target.protocol === 'http:' && new URL(issuer).protocol !== 'http:')) {
    throw new Error(`${address}: its jwks_uri is neither https nor http on this machine`);
  }
  return uri;
}
