/**
 * A real OpenID provider (`oidc-provider`, certified) in this process, for tests and the demo: discovery, key set,
 * client credentials with JWT access tokens (RFC 9068), device flow (RFC 8628), key rotation, outages, short expiries.
 */
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { SignJWT, importJWK } from 'jose';
import { newKeys } from './idp-keys.ts';
import type { KeyGeneration, SigningAlgorithm } from './idp-keys.ts';
import type { IdpOptions, TokenOptions } from './idp-options.ts';
import { createProvider } from './idp-provider.ts';
import type { IdpState } from './idp-provider.ts';

export type { IdpClient } from './idp-options.ts';

export interface Idp {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly tokenEndpoint: string;
  readonly deviceAuthorizationEndpoint: string;
  readonly port: number;
  /** Requests answered so far by path, for tests that count what the gateway asks. */
  readonly requests: ReadonlyMap<string, number>;
  /** A token by a real client-credentials request over HTTP. */
  token(clientId: string, options?: TokenOptions): Promise<string>;
  /** A token of any shape, signed with the provider's current key. A claim or header that is `undefined` is left out. */
  sign(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Approves a device flow as this user would in the browser. */
  approveDevice(userCode: string, userId: string): Promise<void>;
  denyDevice(userCode: string): Promise<void>;
  /** Signs with fresh keys from now on; the former stay published only where `keepOld` is true. */
  rotateKeys(options?: { readonly keepOld?: boolean }): Promise<void>;
  /** Cuts every connection and stops listening; `restart` comes back on the same port with the same keys. */
  stop(): Promise<void>;
  restart(): Promise<void>;
}

/** Starts a provider. Stop it with `stop()`. */
export async function startIdp(options: IdpOptions = {}): Promise<Idp> {
  const host = options.host ?? '127.0.0.1';
  let handler: RequestListener = (_request, response) => response.writeHead(503).end();
  const requests = new Map<string, number>();
  const answer: RequestListener = (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    requests.set(path, (requests.get(path) ?? 0) + 1);
    handler(request, response);
  };
  let server = await listen(answer, options, host, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const issuer = `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`;

  const state: IdpState = { options, issuer, tickets: new Map(), generations: [await newKeys(1)] };
  let generation = 1;
  let provider = createProvider(state);
  handler = provider.callback;

  return {
    issuer,
    port,
    requests,
    jwksUri: `${issuer}/jwks`,
    tokenEndpoint: `${issuer}/token`,
    deviceAuthorizationEndpoint: `${issuer}/device/auth`,
    token: (clientId, wanted = {}) => requestToken(state, clientId, wanted),
    sign: (claims = {}, header = {}) => sign(state, claims, header),
    approveDevice: (userCode, userId) => provider.approveDevice(userCode, userId),
    denyDevice: (userCode) => provider.denyDevice(userCode),
    async rotateKeys({ keepOld = false } = {}) {
      const fresh = await newKeys(++generation);
      state.generations = keepOld ? [fresh, ...state.generations] : [fresh];
      provider = createProvider(state, provider.adapter);
      handler = provider.callback;
    },
    stop: () => close(server),
    async restart() {
      server = await listen(answer, options, host, port);
    },
  };
}

function listen(answer: RequestListener, options: IdpOptions, host: string, port: number): Promise<Server> {
  const server = options.tls === undefined ? createServer(answer) : createTlsServer(options.tls, answer);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function requestToken(state: IdpState, clientId: string, wanted: TokenOptions): Promise<string> {
  const client = state.options.clients?.find(({ id }) => id === clientId);
  if (client === undefined) throw new Error(`the test IdP has no client ${clientId}`);
  const body = new URLSearchParams({ grant_type: 'client_credentials' });
  if (wanted.scope !== undefined) body.set('scope', wanted.scope);
  if (wanted.audience !== undefined) {
    body.set('resource', wanted.audience.includes('://') ? wanted.audience : `urn:audience:${wanted.audience}`);
  }
  const ticket = crypto.randomUUID();
  state.tickets.set(ticket, wanted);
  try {
    const basic = Buffer.from(`${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`).toString(
      'base64',
    );
    const response = await fetch(`${state.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, 'x-test-ticket': ticket },
      body,
    });
    const answer = (await response.json()) as { access_token?: string };
    if (answer.access_token === undefined) throw new Error(`the test IdP refused: ${JSON.stringify(answer)}`);
    return answer.access_token;
  } finally {
    state.tickets.delete(ticket);
  }
}

async function sign(
  state: IdpState,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>>,
): Promise<string> {
  const algorithm: SigningAlgorithm = header['alg'] === 'ES256' ? 'ES256' : (state.options.algorithm ?? 'RS256');
  const key = (state.generations as [KeyGeneration])[0][algorithm];
  const nowSeconds = Math.floor(Date.now() / 1000);
  const payload = {
    iss: state.issuer,
    aud: state.options.audience ?? 'sluice',
    sub: 'test',
    iat: nowSeconds,
    exp: nowSeconds + (state.options.ttlSeconds ?? 300),
    jti: crypto.randomUUID(),
    ...claims,
  };
  const protectedHeader = withoutUndefined({ alg: algorithm, typ: 'at+jwt', kid: key.kid, ...header });
  return new SignJWT(withoutUndefined(payload))
    .setProtectedHeader(protectedHeader)
    .sign(await importJWK(key, algorithm));
}

function withoutUndefined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
