/** Configurations of topics, groups, brokers and client metrics. */
import type { At } from '../at.ts';
import { type AnyRow, row } from '../row.ts';

const topic = 2;
const broker = 4;
const logger = 8;
const metrics = 16;
const group = 32;

export const configRows: readonly AnyRow[] = [
  row('DescribeConfigs', {
    names: 'shared',
    cases: [
      {
        name: 'allowed: topics',
        request: (at) =>
          asked([
            [topic, at.topic('dconf')],
            [topic, at.topic('aconf')],
            [topic, at.topic('full')],
          ]),
      },
      {
        name: 'denied: topics',
        request: (at) =>
          asked([
            [topic, at.topic('read')],
            [topic, at.topic('none')],
          ]),
      },
      {
        name: 'partly allowed: topics',
        request: (at) =>
          asked([
            [topic, at.topic('dconf')],
            [topic, at.topic('none')],
          ]),
      },
      { name: 'allowed: one key', request: (at) => asked([[topic, at.topic('dconf')]], ['retention.ms']) },
      {
        name: 'nonexistent: topics',
        request: (at) =>
          asked([
            [topic, at.topic('dconf', '-not')],
            [topic, at.topic('none', '-not')],
          ]),
      },
      {
        name: 'allowed: groups',
        request: (at) =>
          asked([
            [group, at.group('dconf')],
            [group, at.group('aconf')],
          ]),
      },
      {
        name: 'partly allowed: groups',
        request: (at) =>
          asked([
            [group, at.group('dconf')],
            [group, at.group('none')],
            [group, at.group('read')],
          ]),
      },
      {
        name: 'denied: broker',
        request: () =>
          asked([
            [broker, '0'],
            [logger, '0'],
          ]),
      },
      { name: 'allowed: broker', as: 'configurer', request: () => asked([[broker, '0']]) },
      {
        name: 'allowed: broker, with synonyms',
        as: 'configurer',
        request: () => ({ ...asked([[broker, '0']]), includeSynonyms: true }),
      },
      { name: 'allowed: defaults of brokers', as: 'configurer', request: () => asked([[broker, '']]) },
      { name: 'allowed: loggers', as: 'configurer', request: () => asked([[logger, '0']], ['root']) },
      { name: 'allowed: client metrics', as: 'configurer', request: () => asked([[metrics, 'none-q0']]) },
      { name: 'denied: client metrics', request: () => asked([[metrics, 'none-q0']]) },
      {
        name: 'partly allowed: topics without rights on them',
        as: 'configurer',
        request: (at) =>
          asked(
            [
              [topic, at.topic('none')],
              [broker, '0'],
            ],
            ['log.dirs'],
          ),
      },
      { name: 'invalid: another broker', as: 'configurer', request: () => asked([[broker, '77']]) },
      { name: 'invalid: type', request: () => asked([[99, 'x']]) },
      { name: 'invalid: type, as oscar', as: 'oscar', request: () => asked([[99, 'x']]) },
      { name: 'nothing', request: () => asked([]) },
      {
        name: 'allowed: with documentation',
        from: 3,
        request: (at) => ({
          ...asked(
            [
              [topic, at.topic('dconf')],
              [topic, at.topic('none')],
            ],
            ['retention.ms'],
          ),
          includeDocumentation: true,
        }),
      },
    ],
  }),
  row('AlterConfigs', {
    names: 'fresh',
    effects: ['configs'],
    prepare: topics,
    cases: [
      {
        name: 'allowed',
        request: (at) =>
          replaced([
            [topic, at.topic('aconf')],
            [topic, at.topic('full')],
          ]),
      },
      {
        name: 'denied',
        request: (at) =>
          replaced([
            [topic, at.topic('dconf')],
            [topic, at.topic('none')],
          ]),
      },
      {
        name: 'partly allowed',
        request: (at) =>
          replaced([
            [topic, at.topic('aconf')],
            [topic, at.topic('none')],
          ]),
      },
      {
        name: 'allowed: validate only',
        request: (at) => ({
          ...replaced([
            [topic, at.topic('aconf')],
            [topic, at.topic('none')],
          ]),
          validateOnly: true,
        }),
      },
      {
        name: 'nonexistent',
        request: (at) =>
          replaced([
            [topic, at.topic('aconf', '-not')],
            [topic, at.topic('none', '-not')],
          ]),
      },
      {
        name: 'invalid: value',
        request: (at) =>
          replaced(
            [
              [topic, at.topic('aconf')],
              [topic, at.topic('none')],
            ],
            'x',
          ),
      },
      // No case with a resource twice: the broker (4.2.1) never answers that, and the gateway does with 42.
      { name: 'denied: broker', request: () => replaced([[broker, '0']]) },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => replaced([[topic, at.topic('none')]]) },
    ],
  }),
  row('IncrementalAlterConfigs', {
    names: 'fresh',
    effects: ['configs'],
    prepare: topics,
    cases: [
      {
        name: 'allowed',
        request: (at) =>
          changed([
            [topic, at.topic('aconf')],
            [topic, at.topic('full')],
          ]),
      },
      {
        name: 'denied',
        request: (at) =>
          changed([
            [topic, at.topic('dconf')],
            [topic, at.topic('none')],
          ]),
      },
      {
        name: 'partly allowed',
        request: (at) =>
          changed([
            [topic, at.topic('aconf')],
            [topic, at.topic('none')],
          ]),
      },
      {
        name: 'allowed: groups',
        request: (at) =>
          changed(
            [
              [group, at.group('aconf')],
              [group, at.group('none')],
            ],
            'consumer.session.timeout.ms',
            '50000',
          ),
      },
      {
        name: 'allowed: validate only',
        request: (at) => ({
          ...changed([
            [topic, at.topic('aconf')],
            [topic, at.topic('none')],
          ]),
          validateOnly: true,
        }),
      },
      {
        name: 'nonexistent',
        request: (at) =>
          changed([
            [topic, at.topic('aconf', '-not')],
            [topic, at.topic('none', '-not')],
          ]),
      },
      {
        name: 'invalid: value',
        request: (at) =>
          changed(
            [
              [topic, at.topic('aconf')],
              [topic, at.topic('none')],
            ],
            'retention.ms',
            'x',
          ),
      },
      {
        name: 'invalid: twice',
        request: (at) =>
          changed([
            [topic, at.topic('aconf')],
            [topic, at.topic('aconf')],
            [topic, at.topic('none')],
            [topic, at.topic('none')],
          ]),
      },
      {
        name: 'denied: broker and loggers',
        request: () =>
          changed([
            [broker, '0'],
            [broker, ''],
            [logger, '0'],
          ]),
      },
      {
        name: 'denied: client metrics',
        request: (at) => changed([[metrics, `metrics-${at.token}`]], 'interval.ms', '1000'),
      },
      {
        name: 'allowed: client metrics',
        as: 'configurer',
        request: (at) => changed([[metrics, `metrics-${at.token}`]], 'interval.ms', '1000'),
      },
      {
        name: 'allowed: loggers',
        as: 'configurer',
        request: () => changed([[logger, '0']], 'kafka.no.such.Logger', 'INFO'),
      },
      {
        name: 'partly allowed: broker',
        as: 'configurer',
        request: (at) => ({
          ...changed(
            [
              [broker, '0'],
              [topic, at.topic('none')],
            ],
            'log.cleaner.threads',
            '1',
          ),
          validateOnly: true,
        }),
      },
      { name: 'invalid: type', request: () => changed([[99, 'x']]) },
    ],
  }),
  row('ListConfigResources', {
    names: 'shared',
    cases: [
      { name: 'allowed', as: 'configurer', request: () => ({}) },
      { name: 'denied', request: () => ({}) },
      { name: 'allowed: brokers', as: 'configurer', from: 1, request: () => ({ resourceTypes: [broker] }) },
      { name: 'denied: topics', from: 1, request: () => ({ resourceTypes: [topic] }) },
      { name: 'invalid: type', as: 'configurer', from: 1, request: () => ({ resourceTypes: [99] }) },
    ],
  }),
];

async function topics(at: At): Promise<void> {
  await at.side.createTopics(
    ['aconf', 'dconf', 'full', 'none'].map((kind) => at.topic(kind)),
    1,
  );
}

type Resource = readonly [type: number, name: string];

function asked(resources: readonly Resource[], configurationKeys: readonly string[] | null = null) {
  return {
    resources: resources.map(([resourceType, resourceName]) => ({ resourceType, resourceName, configurationKeys })),
  };
}

function replaced(resources: readonly Resource[], value = '123456') {
  return {
    resources: resources.map(([resourceType, resourceName]) => ({
      resourceType,
      resourceName,
      configs: [{ name: 'retention.ms', value }],
    })),
    validateOnly: false,
  };
}

function changed(resources: readonly Resource[], name = 'retention.ms', value = '123456') {
  return {
    resources: resources.map(([resourceType, resourceName]) => ({
      resourceType,
      resourceName,
      configs: [{ name, configOperation: 0, value }],
    })),
    validateOnly: false,
  };
}
