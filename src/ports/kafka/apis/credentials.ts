/**
 * The upstream's own credentials: delegation tokens (38 to 41) and SCRAM (50, 51). A token made through the gateway
 * would belong to the gateway's own principal, and a changed password could lock the gateway out or open a way around
 * it. So nobody gets these here, whatever the policy says: 61, as brokers answer where tokens are switched off, and 31.
 */
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  apiByName,
  errorCodes,
} from '../protocol/protocol.ts';
import { authorizationMessages } from './cluster-guard.ts';
import type { ApiHandler } from './handler.ts';

const errorMessage = authorizationMessages.cluster;

function neverServed<N extends ApiName>(
  name: N,
  errorCode: number,
  refuse: (request: RequestMessages[N], errorCode: number) => Draft<ResponseMessages[N]>,
): ApiHandler<N> {
  const { minVersion, maxVersion } = apiByName(name);
  return {
    name,
    versions: { min: minVersion, max: maxVersion },
    refuse,
    handle({ request, access }) {
      access.refused('upstream-credentials', "the upstream's own credentials are not managed through the gateway");
      return { kind: 'answer', response: refuse(request, errorCode) };
    },
  };
}

const tokenRefused = errorCodes.DELEGATION_TOKEN_AUTH_DISABLED;
const scramRefused = errorCodes.CLUSTER_AUTHORIZATION_FAILED;

export const createDelegationToken: ApiHandler<'CreateDelegationToken'> = neverServed(
  'CreateDelegationToken',
  tokenRefused,
  (_request, errorCode) => ({
    errorCode,
    issueTimestampMs: 0n,
    expiryTimestampMs: 0n,
    maxTimestampMs: 0n,
  }),
);

export const renewDelegationToken: ApiHandler<'RenewDelegationToken'> = neverServed(
  'RenewDelegationToken',
  tokenRefused,
  (_request, errorCode) => ({
    errorCode,
    expiryTimestampMs: 0n,
  }),
);

export const expireDelegationToken: ApiHandler<'ExpireDelegationToken'> = neverServed(
  'ExpireDelegationToken',
  tokenRefused,
  (_request, errorCode) => ({
    errorCode,
    expiryTimestampMs: 0n,
  }),
);

export const describeDelegationToken: ApiHandler<'DescribeDelegationToken'> = neverServed(
  'DescribeDelegationToken',
  tokenRefused,
  (_request, errorCode) => ({ errorCode, tokens: [] }),
);

export const describeUserScramCredentials: ApiHandler<'DescribeUserScramCredentials'> = neverServed(
  'DescribeUserScramCredentials',
  scramRefused,
  (_request, errorCode) => ({
    errorCode,
    errorMessage: null,
    // Brokers answer a refusal of the whole with one user that has no name.
    results: [{ user: '', errorCode, errorMessage: null, credentialInfos: [] }],
  }),
);

export const alterUserScramCredentials: ApiHandler<'AlterUserScramCredentials'> = neverServed(
  'AlterUserScramCredentials',
  scramRefused,
  (request, errorCode) => ({
    results: [...new Set([...request.deletions, ...request.upsertions].map(({ name }) => name))].map((user) => ({
      user,
      errorCode,
      errorMessage,
    })),
  }),
);
