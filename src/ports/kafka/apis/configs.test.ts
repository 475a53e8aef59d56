import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes } from '../protocol/protocol.ts';
import { alterConfigs, describeConfigs, incrementalAlterConfigs, listConfigResources } from './configs.ts';
import { ask, worldOf } from './testing.ts';

const topic = 2;
const broker = 4;
const group = 32;
const { TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST } =
  errorCodes;

function resources(...list: readonly (readonly [number, string])[]) {
  return list.map(([resourceType, resourceName]) => ({ resourceType, resourceName }));
}

describe('DescribeConfigs', () => {
  for (const version of [1, 4]) {
    it(`v${version}: asks on the topic, the group and the cluster, each for itself`, async () => {
      const asked = resources([topic, 'a'], [topic, 'b'], [group, 'g'], [broker, '1']).map((one) => ({
        ...one,
        configurationKeys: null,
      }));
      const outcome = await ask(worldOf(['describe-configs topic a']), describeConfigs, version, { resources: asked });
      assert.deepEqual(
        outcome.forwarded?.resources.map(({ resourceName }) => resourceName),
        ['a'],
      );
      const { results } = await outcome.deliver({ results: [{ resourceType: topic, resourceName: 'a', configs: [] }] });
      assert.deepEqual(
        results.map(({ errorCode }) => errorCode),
        [0, TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED],
      );
    });
  }

  it('shows no address of a broker, in its value or in synonyms', async () => {
    const asked = {
      resources: [{ resourceType: broker, resourceName: '1', configurationKeys: null }],
      includeSynonyms: true,
    };
    const outcome = await ask(worldOf(['describe-configs cluster kafka-cluster']), describeConfigs, 4, asked);
    const listeners = {
      name: 'advertised.listeners',
      value: 'PLAINTEXT://broker-1:9092',
      synonyms: [{ name: 'advertised.listeners', value: 'PLAINTEXT://broker-1:9092' }],
    };
    const configs = [
      listeners,
      { name: 'listener.name.x.advertised.listeners', value: 'x://broker-1:1' },
      { name: 'num.io.threads', value: '8' },
    ];
    const answer = await outcome.deliver({ results: [{ resourceType: broker, resourceName: '1', configs }] });
    assert.ok(!JSON.stringify(answer).includes('broker-1'));
    assert.equal(answer.results[0]?.configs[2]?.value, '8');
  });

  it('refuses the whole for a type that it does not know', async () => {
    const outcome = await ask(worldOf(['describe-configs topic a']), describeConfigs, 4, {
      resources: resources([topic, 'a'], [99, 'x']).map((one) => ({ ...one, configurationKeys: null })),
    });
    assert.deepEqual(
      outcome.answer?.results.map(({ errorCode }) => errorCode),
      [INVALID_REQUEST, INVALID_REQUEST],
    );
  });
});

for (const handler of [alterConfigs, incrementalAlterConfigs]) {
  describe(handler.name, () => {
    const asked = resources([topic, 'a'], [topic, 'b'], [group, 'g']).map((one) => ({ ...one, configs: [] }));

    it('changes what may be changed and refuses the rest', async () => {
      const world = worldOf(['alter-configs topic a']);
      const outcome =
        handler === alterConfigs
          ? await ask(world, alterConfigs, 2, { resources: asked })
          : await ask(world, incrementalAlterConfigs, 1, { resources: asked });
      assert.deepEqual(
        outcome.forwarded?.resources.map(({ resourceName }) => resourceName),
        ['a'],
      );
      const { responses } = await outcome.deliver({ responses: [{ resourceType: topic, resourceName: 'a' }] });
      assert.deepEqual(
        responses.map(({ errorCode }) => errorCode),
        [0, TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED],
      );
    });

    it('refuses a resource that is there twice, and a type that is none, whoever asks', async () => {
      const request = {
        resources: resources([topic, 'a'], [topic, 'a'], [99, 'x']).map((one) => ({ ...one, configs: [] })),
      };
      const world = worldOf(['alter-configs topic a', 'alter-configs cluster kafka-cluster']);
      const outcome =
        handler === alterConfigs
          ? await ask(world, alterConfigs, 0, request)
          : await ask(world, incrementalAlterConfigs, 0, request);
      assert.deepEqual(
        outcome.answer?.responses.map(({ errorCode }) => errorCode),
        [INVALID_REQUEST, INVALID_REQUEST, INVALID_REQUEST],
      );
    });
  });
}

describe('ListConfigResources', () => {
  it('asks DESCRIBE_CONFIGS on the cluster', async () => {
    assert.equal((await ask(worldOf(), listConfigResources, 1, {})).answer?.errorCode, CLUSTER_AUTHORIZATION_FAILED);
    assert.ok((await ask(worldOf(['describe-configs cluster kafka-cluster']), listConfigResources, 0, {})).unread);
  });
});
