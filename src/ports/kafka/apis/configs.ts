/**
 * DescribeConfigs (32): DESCRIBE_CONFIGS; AlterConfigs (33) and IncrementalAlterConfigs (44): ALTER_CONFIGS; each on
 * the topic or the group that is named, and on the cluster for brokers, their loggers and client metrics. 29, 30 or 31
 * on what is denied while the rest goes on; 42 on what is malformed, before anybody's rights are looked at.
 * ListConfigResources (74): DESCRIBE_CONFIGS on the cluster.
 * Broker values that say where brokers listen are shown as sensitive ones are: without a value.
 */
import { type Action, type ResourceType, clusterName } from '../../../model/operation.ts';
import { type DescribeConfigsResponse, errorCodes } from '../protocol/protocol.ts';
import { authorizationMessages, clusterGuarded } from './cluster-guard.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';
import { namedTwice } from './named-twice.ts';

/** `ConfigResource.Type`: what a resource type number stands for. All others belong to the cluster. */
const topicResource = 2;
const groupResource = 32;
const brokerLoggerResource = 8;
const allResources: ReadonlySet<number> = new Set([topicResource, 4, brokerLoggerResource, 16, groupResource]);

/** Where brokers and controllers can be reached is the gateway's to know. */
const addressConfigs: ReadonlySet<string> = new Set([
  'listeners',
  'advertised.listeners',
  'controller.quorum.voters',
  'controller.quorum.bootstrap.servers',
]);

interface ConfigResource {
  readonly resourceType: number;
  readonly resourceName: string;
}

interface RefusedResource {
  resourceType: number;
  resourceName: string;
  errorCode: number;
  errorMessage: string | null;
}

function resourceOf({ resourceType, resourceName }: ConfigResource): {
  readonly type: ResourceType;
  readonly name: string;
} {
  if (resourceType === topicResource) return { type: 'topic', name: resourceName };
  if (resourceType === groupResource) return { type: 'group', name: resourceName };
  return { type: 'cluster', name: clusterName };
}

function denialOf(resource: ConfigResource): RefusedResource {
  const { resourceType, resourceName } = resource;
  const { type } = resourceOf(resource);
  if (type === 'topic') {
    return {
      resourceType,
      resourceName,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: authorizationMessages.topic,
    };
  }
  if (type === 'group') {
    return {
      resourceType,
      resourceName,
      errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED,
      errorMessage: authorizationMessages.group,
    };
  }
  return {
    resourceType,
    resourceName,
    errorCode: errorCodes.CLUSTER_AUTHORIZATION_FAILED,
    errorMessage: authorizationMessages.cluster,
  };
}

function split<T extends ConfigResource>(
  resources: readonly T[],
  access: RequestAccess,
  action: Action,
): { rest: T[]; refused: RefusedResource[] } {
  const rest: T[] = [];
  const refused: RefusedResource[] = [];
  for (const resource of resources) {
    const { type, name } = resourceOf(resource);
    if (access.may(action, type, name)) rest.push(resource);
    else refused.push(denialOf(resource));
  }
  return { rest, refused };
}

export const describeConfigs: ApiHandler<'DescribeConfigs'> = {
  name: 'DescribeConfigs',
  versions: { min: 1, max: 4 },
  handle({ request, access }) {
    if (request.resources.some(({ resourceType }) => !allResources.has(resourceType))) {
      const results = request.resources.map((resource) => ({
        ...malformed(resource, authorizationMessages.invalidRequest),
        configs: [],
      }));
      return { kind: 'answer', response: { results } };
    }
    const { rest, refused } = split(request.resources, access, 'describe-configs');
    const results = refused.map((resource) => ({ ...resource, configs: [] }));
    if (rest.length === 0 && results.length > 0) return { kind: 'answer', response: { results } };
    return {
      kind: 'forward',
      ...(results.length === 0 ? {} : { request: { ...request, resources: rest } }),
      onResponse(response) {
        const hidden = hideAddresses(response);
        response.results.push(...results);
        return hidden || results.length > 0;
      },
    };
  },
  refuse: (request, errorCode) => ({
    results: request.resources.map(({ resourceType, resourceName }) => ({
      resourceType,
      resourceName,
      errorCode,
      configs: [],
    })),
  }),
};

function hideAddresses(response: DescribeConfigsResponse): boolean {
  let hidden = false;
  for (const result of response.results) {
    if (result.resourceType === topicResource || result.resourceType === groupResource) continue;
    for (const config of result.configs) {
      if (!addressConfigs.has(config.name) && !config.name.endsWith('.advertised.listeners')) continue;
      config.value = null;
      config.isSensitive = true;
      for (const synonym of config.synonyms) synonym.value = null;
      hidden = true;
    }
  }
  return hidden;
}

export const alterConfigs: ApiHandler<'AlterConfigs'> = {
  name: 'AlterConfigs',
  versions: { min: 0, max: 2 },
  handle({ request, access }) {
    // It is older than the levels of loggers and does not know them.
    const { rest, refused } = splitChanges(
      request.resources,
      access,
      ({ resourceType }) => resourceType !== brokerLoggerResource,
    );
    if (refused.length === 0) return forwardUnread;
    if (rest.length === 0) return { kind: 'answer', response: { responses: refused } };
    return {
      kind: 'forward',
      request: { ...request, resources: rest },
      onResponse(response) {
        response.responses.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, code) => ({ responses: request.resources.map((resource) => refusedWith(resource, code)) }),
};

export const incrementalAlterConfigs: ApiHandler<'IncrementalAlterConfigs'> = {
  name: 'IncrementalAlterConfigs',
  versions: { min: 0, max: 1 },
  handle({ request, access }) {
    const { rest, refused } = splitChanges(request.resources, access, () => true);
    if (refused.length === 0) return forwardUnread;
    // Brokers settle loggers by themselves, and say no more than the code.
    for (const resource of refused)
      if (
        resource.errorCode === errorCodes.CLUSTER_AUTHORIZATION_FAILED &&
        resource.resourceType === brokerLoggerResource
      )
        resource.errorMessage = null;
    if (rest.length === 0) return { kind: 'answer', response: { responses: refused } };
    return {
      kind: 'forward',
      request: { ...request, resources: rest },
      onResponse(response) {
        response.responses.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, code) => ({ responses: request.resources.map((resource) => refusedWith(resource, code)) }),
};

/** Malformed ones are taken out first: brokers say so whoever asks. */
function splitChanges<T extends ConfigResource>(
  resources: readonly T[],
  access: RequestAccess,
  isKnown: (resource: T) => boolean,
): { rest: T[]; refused: RefusedResource[] } {
  const keyOf = ({ resourceType, resourceName }: T): string => `${resourceType} ${resourceName}`;
  const twice = namedTwice(resources.map(keyOf));
  const refused: RefusedResource[] = [];
  const wellFormed = resources.filter((resource) => {
    if (twice.has(keyOf(resource))) refused.push(malformed(resource, 'Each resource must appear at most once.'));
    else if (!allResources.has(resource.resourceType) || !isKnown(resource)) {
      refused.push(malformed(resource, `Unknown resource type ${resource.resourceType}`));
    } else return true;
    return false;
  });
  const { rest, refused: denied } = split(wellFormed, access, 'alter-configs');
  return { rest, refused: [...refused, ...denied] };
}

function malformed({ resourceType, resourceName }: ConfigResource, errorMessage: string): RefusedResource {
  return { resourceType, resourceName, errorCode: errorCodes.INVALID_REQUEST, errorMessage };
}

function refusedWith({ resourceType, resourceName }: ConfigResource, errorCode: number): RefusedResource {
  return { resourceType, resourceName, errorCode, errorMessage: null };
}

export const listConfigResources: ApiHandler<'ListConfigResources'> = clusterGuarded({
  name: 'ListConfigResources',
  action: 'describe-configs',
  refuse: (_request, errorCode) => ({ errorCode, configResources: [] }),
});
