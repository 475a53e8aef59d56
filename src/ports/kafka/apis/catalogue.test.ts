import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ApiName, apiByKey, apiByName, encodeResponse, errorCodes, specification } from '../protocol/protocol.ts';
import { handlerFor, handlers, unserved } from './catalogue.ts';
import { requestOnTheWire } from './testing.ts';

describe('the catalogue of APIs', () => {
  it('has a handler or a reason for every API of the specification, and never both', () => {
    assert.ok(specification.length >= 93);
    for (const { key, name } of specification) {
      const handler = handlerFor(key);
      const reason = unserved[key];
      assert.ok(
        (handler === undefined) !== (reason === undefined),
        `${key} ${name} has a handler and a reason, or neither`,
      );
      if (handler !== undefined) assert.equal(handler.name, name);
    }
    const known = new Set(specification.map(({ key }) => key));
    for (const key of Object.keys(unserved)) assert.ok(known.has(Number(key)), `${key} is no API`);
  });

  it('gives no reason for less than what Kafka has removed', () => {
    for (const { key, removed } of specification) if (removed) assert.equal(handlerFor(key), undefined);
  });

  it('is sorted by key, without doubles', () => {
    const keys = handlers.map(({ name }) => apiByName(name).key);
    assert.deepEqual(
      keys,
      [...new Set(keys)].sort((a, b) => a - b),
    );
  });

  it('serves only versions that the codec has', () => {
    for (const { name, versions } of handlers) {
      const { minVersion, maxVersion } = apiByName(name);
      assert.ok(versions.min >= minVersion && versions.max <= maxVersion && versions.min <= versions.max, name);
    }
  });

  for (const { name, versions } of handlers) {
    it(`${name} refuses as a whole in a message of its own, in every version`, () => {
      for (let version = versions.min; version <= versions.max; version += 1) refuses(name, version);
    });
  }
});

function refuses(name: ApiName, version: number): void {
  const handler = handlerFor(apiByName(name).key);
  assert.ok(handler !== undefined);
  const refusal = handler.refuse(
    requestOnTheWire(name, version, {}),
    handler.unavailableCode ?? errorCodes.KAFKA_STORAGE_ERROR,
    version,
  );
  assert.ok(apiByKey(apiByName(name).key) !== undefined);
  if (refusal !== null) assert.ok(encodeResponse(name, version, 1, refusal).length > 0);
  // Without an acknowledgement there is no answer to refuse in.
  else assert.equal(name, 'Produce');
}
