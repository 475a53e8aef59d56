/** The gateway's own SASL client towards brokers: PLAIN (RFC 4616), SCRAM (RFC 5802, 7677), OAUTHBEARER (RFC 7628). */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { readSecret } from '../../lib/secret.ts';
import type { UpstreamSaslSettings } from '../../model/settings.ts';

/** Sends one SASL message and gives the broker's answer to it. */
export type SaslRound = (bytes: Buffer) => Promise<Buffer>;

/** Iterations a broker may ask of us; Kafka's own range is 4096 to 16384, more would let it burn our time. */
const scramIterationsMin = 4_096;
const scramIterationsMax = 65_536;
const nonceBytes = 24;
const gs2Header = 'n,,';

/**
 * Runs the mechanism to its end. Secrets are read each time, so that a rotated one is used by the next connection.
 *
 * @throws SluiceError `upstream-authentication-failed`, `secret-unreadable`
 */
export async function authenticateUpstream(settings: UpstreamSaslSettings, round: SaslRound): Promise<void> {
  switch (settings.mechanism) {
    case 'PLAIN': {
      const password = await readSecret(settings.password);
      await round(Buffer.from(`\0${settings.username}\0${password}`, 'utf8'));
      return;
    }
    case 'SCRAM-SHA-256':
      return scram('sha256', settings.username, await readSecret(settings.password), round);
    case 'SCRAM-SHA-512':
      return scram('sha512', settings.username, await readSecret(settings.password), round);
    case 'OAUTHBEARER': {
      const token = await clientCredentialsToken(settings);
      const answer = await round(Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`, 'utf8'));
      // RFC 7628 §3.2.2: a failure may come as a JSON challenge instead of an error code.
      if (answer.length > 0) throw failed("the broker refused the gateway's own token");
      return;
    }
  }
}

async function scram(hash: 'sha256' | 'sha512', username: string, password: string, round: SaslRound): Promise<void> {
  const clientNonce = randomBytes(nonceBytes).toString('base64url');
  // RFC 5802 §5.1: "=" and "," in a user name are written =3D and =2C.
  const name = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
  const firstBare = `n=${name},r=${clientNonce}`;
  const serverFirst = (await round(Buffer.from(gs2Header + firstBare, 'utf8'))).toString('utf8');
  const fields = attributes(serverFirst);
  const nonce = fields.get('r') ?? '';
  const salt = fields.get('s');
  const iterations = Number(fields.get('i'));
  // RFC 5802 §5.1: the server's nonce MUST begin with the client's, and be longer.
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length)
    throw failed("the broker's SCRAM nonce is not ours");
  if (salt === undefined) throw failed('the broker sent no SCRAM salt');
  if (!Number.isInteger(iterations) || iterations < scramIterationsMin || iterations > scramIterationsMax) {
    throw failed(
      `the broker asks for ${fields.get('i') ?? 'no'} SCRAM iterations, outside ${scramIterationsMin} to ${scramIterationsMax}`,
    );
  }
  const keyBytes = hash === 'sha256' ? 32 : 64;
  const salted = await promisify(pbkdf2)(
    password.normalize('NFKC'),
    Buffer.from(salt, 'base64'),
    iterations,
    keyBytes,
    hash,
  );
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  const storedKey = createHash(hash).update(clientKey).digest();
  const finalWithoutProof = `c=${Buffer.from(gs2Header).toString('base64')},r=${nonce}`;
  const authMessage = `${firstBare},${serverFirst},${finalWithoutProof}`;
  const clientSignature = createHmac(hash, storedKey).update(authMessage).digest();
  const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
  const final = await round(Buffer.from(`${finalWithoutProof},p=${Buffer.from(proof).toString('base64')}`, 'utf8'));
  const serverKey = createHmac(hash, salted).update('Server Key').digest();
  const expected = createHmac(hash, serverKey).update(authMessage).digest();
  const given = Buffer.from(attributes(final.toString('utf8')).get('v') ?? '', 'base64');
  // RFC 5802 §3: the client MUST check the server's signature; else anyone could pose as the broker.
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw failed('the broker does not know the password either: its SCRAM signature is wrong');
}

function attributes(message: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of message.split(',')) {
    if (part.charAt(1) === '=') found.set(part.charAt(0), part.slice(2));
  }
  return found;
}

type OAuthSettings = Extract<UpstreamSaslSettings, { mechanism: 'OAUTHBEARER' }>;

const tokens = new WeakMap<
  OAuthSettings,
  { readonly token: string; readonly secret: string; readonly refreshAtMs: number }
>();

/** Fetches a token, or gives the last one while it has a fifth of its life left and the secret has not changed. */
async function clientCredentialsToken(settings: OAuthSettings): Promise<string> {
  const secret = await readSecret(settings.clientSecret);
  const known = tokens.get(settings);
  if (known !== undefined && known.secret === secret && Date.now() < known.refreshAtMs) return known.token;
  const url = new URL(settings.tokenUrl);
  // Few upstreams take tokens: what asks for them is read when one does.
  const oauth = await import('openid-client');
  const server = new oauth.Configuration(
    { issuer: url.origin, token_endpoint: url.href },
    settings.clientId,
    undefined,
    oauth.ClientSecretBasic(secret),
  );
  // Deprecated only so that it stands out: the operator wrote http:// into the configuration.
  // oxlint-disable-next-line typescript/no-deprecated
  if (url.protocol === 'http:') oauth.allowInsecureRequests(server);
  const answer = await oauth
    .clientCredentialsGrant(server, settings.scope === undefined ? {} : { scope: settings.scope })
    .catch((cause: unknown) => {
      throw failed(`no token from ${url.origin}${url.pathname}: ${messageOf(cause)}`);
    });
  const lifetimeMs = (answer.expires_in ?? 60) * 1_000;
  tokens.set(settings, { token: answer.access_token, secret, refreshAtMs: Date.now() + lifetimeMs * 0.8 });
  return answer.access_token;
}

function failed(detail: string): SluiceError<'upstream-authentication-failed'> {
  return new SluiceError(
    'upstream-authentication-failed',
    `The gateway could not authenticate to the broker: ${detail}.`,
    {
      retriable: true,
    },
  );
}
