/**
 * Requests that would hold a broker's network thread. Against Kafka 4.2.1, without a gateway: JoinGroup with 800 equal
 * protocols (10 KB) is answered after 0.7 s, with 1600 after 4.2 s, with 3200 not within 20 s.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkBrokerTables } from './broker-tables.ts';
import { ProtocolError } from './protocol-error.ts';

function protocols(names: readonly string[]): object {
  return { protocols: names.map((name) => ({ name, metadata: Buffer.alloc(1) })) };
}

/** As many names as wanted with one Java hash: `Aa` and `BB` have the same, and so has every text made of them. */
function colliding(count: number): string[] {
  const bits = Math.ceil(Math.log2(count));
  return Array.from({ length: count }, (_, index) =>
    Array.from({ length: bits }, (__, bit) => ((index >> bit) & 1 ? 'Aa' : 'BB')).join(''),
  );
}

function refused(api: Parameters<typeof checkBrokerTables>[0], request: object): void {
  assert.throws(
    () => checkBrokerTables(api, request),
    (error) => error instanceof ProtocolError && error.code === 'bad-value',
  );
}

const words = (uuid: readonly number[]): string => {
  const bytes = Buffer.alloc(16);
  uuid.forEach((word, index) => bytes.writeInt32BE(word | 0, index * 4));
  return bytes.toString('base64url');
};

describe('refused', () => {
  test('the same name again and again', () => {
    for (const count of [600, 1_600, 3_200, 20_000, 400_000])
      refused('JoinGroup', protocols(Array.from({ length: count }, () => 'range')));
  });

  test('different names of one hash', () => {
    const names = colliding(2_000);
    assert.equal(new Set(names).size, 2_000);
    refused('JoinGroup', protocols(names));
    refused('CreateTopics', { topics: names.map((name) => ({ name, assignments: [], configs: [] })) });
    refused('Produce', { topicData: names.map((name) => ({ name, topicId: words([0, 0, 0, 0]), partitionData: [] })) });
  });

  test('ids of one hash, numbers of one place, and what stands deeper', () => {
    const ids = Array.from({ length: 2_000 }, (_, index) => words([index, index, 7, 7]));
    refused('ShareFetch', { topics: ids.map((topicId) => ({ topicId, partitions: [] })) });
    // 2001 elements go into 4003 slots.
    const partitions = Array.from({ length: 2_001 }, (_, index) => ({ partitionIndex: index * 4_003 }));
    refused('ShareFetch', { topics: [{ topicId: words([1, 2, 3, 4]), partitions }] });
    const configs = Array.from({ length: 2_000 }, () => ({ name: 'a', configOperation: 0, value: null }));
    refused('IncrementalAlterConfigs', { resources: [{ resourceType: 2, resourceName: 't', configs }] });
  });

  test('in a moment, however many there are', () => {
    const request = protocols(Array.from({ length: 100_000 }, () => 'range'));
    const begun = performance.now();
    refused('JoinGroup', request);
    assert.ok(performance.now() - begun < 3_000, `${performance.now() - begun} ms`);
  });
});

describe('taken', () => {
  test('a hundred thousand topics of their own, however they are named', () => {
    const namings: readonly ((index: number) => string)[] = [
      (index) => `topic-${index}`,
      (index) => `t${String(index).padStart(6, '0')}`,
      (index) => `team-${index % 97}.service-${index % 1_009}.events-${index}`,
      (index) => Math.imul(index, 0x9e37_79b1).toString(36),
    ];
    for (const naming of namings) {
      const names = Array.from({ length: 100_000 }, (_, index) => naming(index));
      checkBrokerTables('Produce', {
        topicData: names.map((name) => ({ name, topicId: words([0, 0, 0, 0]), partitionData: [] })),
      });
      checkBrokerTables('OffsetForLeaderEpoch', { topics: names.map((topic) => ({ topic, partitions: [] })) });
    }
  });

  test('every partition of a large topic, and many random ids', () => {
    const partitions = Array.from({ length: 100_000 }, (_, partitionIndex) => ({ partitionIndex }));
    checkBrokerTables('ShareFetch', { topics: [{ topicId: words([1, 2, 3, 4]), partitions }] });
    const ids = Array.from({ length: 50_000 }, (_, index) => {
      const word = (salt: number): number => Math.imul(index + 1, salt) ^ (Math.imul(index + 7, 0x85eb_ca6b) >>> 3);
      return words([word(0x9e37_79b1), word(0xc2b2_ae35), word(0x27d4_eb2f), word(0x1656_67b1)]);
    });
    checkBrokerTables('ShareFetch', { topics: ids.map((topicId) => ({ topicId, partitions: [] })) });
  });

  test('some equal names, which brokers sort out by themselves', () => {
    checkBrokerTables('JoinGroup', protocols(Array.from({ length: 300 }, () => 'range')));
  });

  test('what has no keyed array', () => {
    checkBrokerTables('Metadata', { topics: Array.from({ length: 10_000 }, () => ({ name: 'a' })) });
  });
});
