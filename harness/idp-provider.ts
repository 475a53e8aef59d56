/** The configuration of oidc-provider behind `startIdp`. Everything it would warn about in development is set, so it stays silent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Provider } from 'oidc-provider';
import type { AccessToken, Adapter, ClientCredentials, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { IdpOptions, TokenOptions } from './idp-options.ts';
import type { KeyGeneration } from './idp-keys.ts';
import { memoryAdapterFactory } from './idp-store.ts';

export interface IdpState {
  readonly options: IdpOptions;
  readonly issuer: string;
  /** What `Idp.token` wants of the request that carries the ticket; only this process can put one here. */
  readonly tickets: Map<string, TokenOptions>;
  /** Newest first; the first signs. */
  generations: readonly KeyGeneration[];
}

export interface RunningProvider {
  readonly callback: (request: IncomingMessage, response: ServerResponse) => void;
  /** Handed to the provider that follows after a key rotation, so that device codes live on. */
  readonly adapter: (model: string) => Adapter;
  approveDevice(userCode: string, userId: string): Promise<void>;
  denyDevice(userCode: string): Promise<void>;
}

const defaultTtlSeconds = 300;
const defaultResource = 'urn:audience:';
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

export function createProvider(
  state: IdpState,
  adapter: (model: string) => Adapter = memoryAdapterFactory(),
): RunningProvider {
  const provider = new Provider(state.issuer, configurationOf(state, adapter));
  const handle = provider.callback();
  return {
    callback: (request, response) => void handle(request, response),
    adapter,
    approveDevice: (userCode, userId) => approveDevice(provider, state, userCode, userId),
    async denyDevice(userCode) {
      const code = await findCode(provider, userCode);
      Object.assign(code, { error: 'access_denied', errorDescription: 'the user refused' });
      await code.save();
    },
  };
}

function configurationOf(state: IdpState, adapter: (model: string) => Adapter): Configuration {
  return {
    adapter,
    jwks: { keys: state.generations.flatMap((keys) => [keys.RS256, keys.ES256]) },
    clients: (state.options.clients ?? []).map((client) => ({
      client_id: client.id,
      client_secret: client.secret,
      grant_types: ['client_credentials', deviceGrant],
      redirect_uris: [],
      response_types: [],
    })),
    cookies: { keys: [crypto.randomUUID()] },
    clientBasedCORS: () => false,
    findAccount: (_ctx, id) => {
      const known = state.options.users?.some((user) => user.id === id) ?? false;
      return known ? { accountId: id, claims: async () => ({ sub: id }) } : undefined;
    },
    ttl: {
      ClientCredentials: (ctx, _token, client) => ttlOf(state, ctx, client.clientId),
      AccessToken: (ctx, _token, client) => ttlOf(state, ctx, client.clientId),
      DeviceCode: 600,
      Grant: 3600,
      IdToken: 300,
    },
    formats: {
      customizers: { jwt: (ctx, token, jwt) => void Object.assign(jwt.payload, claimsOf(state, ctx, token)) },
    },
    features: featuresOf(state),
  };
}

function featuresOf(state: IdpState): NonNullable<Configuration['features']> {
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      // Kafka clients send a scope and no resource: they get the default audience.
      defaultResource: (_ctx, _client, oneOf) => oneOf?.[0] ?? defaultResource + (state.options.audience ?? 'sluice'),
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: typeof ctx.oidc.params?.['scope'] === 'string' ? ctx.oidc.params['scope'] : '',
        audience: resource.startsWith(defaultResource) ? resource.slice(defaultResource.length) : resource,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: ticketOf(state, ctx)?.algorithm ?? state.options.algorithm ?? 'RS256' } },
      }),
    },
  };
}

function ticketOf(state: IdpState, ctx: KoaContextWithOIDC): TokenOptions | undefined {
  return state.tickets.get(ctx.get('x-test-ticket'));
}

function ttlOf(state: IdpState, ctx: KoaContextWithOIDC, clientId: string): number {
  const client = state.options.clients?.find(({ id }) => id === clientId);
  return ticketOf(state, ctx)?.ttlSeconds ?? client?.ttlSeconds ?? state.options.ttlSeconds ?? defaultTtlSeconds;
}

function claimsOf(
  state: IdpState,
  ctx: KoaContextWithOIDC,
  token: AccessToken | ClientCredentials,
): Record<string, unknown> {
  const more = ticketOf(state, ctx)?.claims;
  if ('accountId' in token && typeof token.accountId === 'string') {
    const user = state.options.users?.find(({ id }) => id === token.accountId);
    return { groups: user?.groups ?? [], kind: 'user', ...user?.claims, ...more };
  }
  const client = state.options.clients?.find(({ id }) => id === token.clientId);
  const kind = client?.kind === undefined ? {} : { kind: client.kind };
  return { groups: client?.groups ?? [], ...kind, ...client?.claims, ...more };
}

type DeviceCode = NonNullable<Awaited<ReturnType<Provider['DeviceCode']['findByUserCode']>>>;

async function findCode(provider: Provider, userCode: string): Promise<DeviceCode> {
  const code = await provider.DeviceCode.findByUserCode(userCode.toUpperCase().replace(/\W/g, ''));
  if (code === undefined) throw new Error(`no device flow waits for user code ${userCode}`);
  return code;
}

/** What the provider's own pages do at the end: a grant for the account, noted on the device code. */
async function approveDevice(provider: Provider, state: IdpState, userCode: string, userId: string): Promise<void> {
  if (state.options.users?.some(({ id }) => id === userId) !== true)
    throw new Error(`the test IdP has no user ${userId}`);
  const code = await findCode(provider, userCode);
  const { clientId, params } = code;
  if (clientId === undefined) throw new Error('the device code names no client');
  const scope = typeof params?.['scope'] === 'string' ? params['scope'] : '';
  const wanted = params?.['resource'];
  const resource = typeof wanted === 'string' ? wanted : defaultResource + (state.options.audience ?? 'sluice');
  const grant = new provider.Grant({ accountId: userId, clientId });
  grant.addOIDCScope(scope);
  grant.addResourceScope(resource, scope);
  Object.assign(code, {
    accountId: userId,
    authTime: Math.floor(Date.now() / 1000),
    grantId: await grant.save(),
    resource,
    scope,
  });
  await code.save();
}
