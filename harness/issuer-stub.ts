/** An issuer that answers whatever a test wants, for what no honest provider does: wrong documents, redirects, silence. */
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { webcrypto } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { JWK } from 'jose';

export interface StubKey {
  readonly kid: string;
  /** As it would be published. */
  readonly jwk: JWK;
  readonly privateKey: webcrypto.CryptoKey;
}

export interface IssuerStub {
  readonly url: string;
  /** Requests by path so far. */
  readonly requests: ReadonlyMap<string, number>;
  /** Answers this path from now on; a list is a key set, an object a JSON document. */
  answer(path: string, answer: RequestListener | object): void;
  /** Publishes discovery and these keys. */
  publish(...keys: readonly StubKey[]): void;
  close(): Promise<void>;
}

export const discoveryPath: string = '/.well-known/openid-configuration';
export const keySetPath: string = '/keys';

export async function startIssuerStub(): Promise<IssuerStub> {
  const answers = new Map<string, RequestListener>();
  const requests = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const answer = answers.get(path);
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answer = (path: string, how: RequestListener | object): void => {
    const listener: RequestListener =
      typeof how === 'function'
        ? (how as RequestListener)
        : (_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(how));
    answers.set(path, listener);
  };
  return {
    url,
    requests,
    answer,
    publish(...keys) {
      answer(discoveryPath, { issuer: url, jwks_uri: `${url}${keySetPath}` });
      answer(keySetPath, { keys: keys.map(({ jwk }) => jwk) });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export async function newStubKey(kid: string, algorithm = 'RS256', modulusLength?: number): Promise<StubKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, {
    extractable: true,
    ...(modulusLength === undefined ? {} : { modulusLength }),
  });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } };
}

/** A token with exactly these claims; the header's `alg` and `kid` are the key's unless given. */
export function signWith(
  key: StubKey,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const protectedHeader = { alg: key.jwk.alg ?? 'RS256', kid: key.kid, ...header };
  return new SignJWT({ ...claims })
    .setProtectedHeader(protectedHeader)
    .sign(key.privateKey, { crit: { 'x-made-up': true } });
}
