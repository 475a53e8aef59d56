import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AdvertiseSettings } from '../../model/settings.ts';
import { createAddressBook, nodeForServerName } from './addresses.ts';

const ports: AdvertiseSettings = { mode: 'ports', host: 'gateway', firstPort: 9_100, firstNodeId: 10, count: 3 };
const sni = {
  mode: 'sni',
  hostPattern: 'broker-$(nodeId).orders.example',
  bootstrapHost: 'orders.example',
  port: 9_093,
} as const;

test('a port per broker: only the nodes that ports are set aside for', () => {
  const book = createAddressBook(ports, 9_092);
  assert.deepEqual(book.bootstrap, { host: 'gateway', port: 9_092 });
  assert.deepEqual(book.forNode(10), { host: 'gateway', port: 9_100 });
  assert.deepEqual(book.forNode(12), { host: 'gateway', port: 9_102 });
  for (const nodeId of [9, 13, -1]) assert.equal(book.forNode(nodeId), null);
});

test('a TLS name per broker reads back as the node it was made for', () => {
  const book = createAddressBook(sni, 9_093);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7fffffff }), (nodeId) => {
      const host = book.forNode(nodeId)?.host ?? '';
      assert.equal(nodeForServerName(sni, host), nodeId);
      assert.equal(nodeForServerName(sni, host.toUpperCase()), nodeId);
    }),
  );
  assert.equal(book.forNode(-1), null);
});

test('a name that is not exactly one of the port is none of it', () => {
  assert.equal(nodeForServerName(sni, 'orders.example'), 'bootstrap');
  for (const name of [
    'broker-.orders.example',
    'broker-01.orders.example',
    'broker--1.orders.example',
    'broker-1.orders.example.evil',
    'broker-1x.orders.example',
    'broker-1',
    'broker-99999999999.orders.example',
    'broker-4294967296.orders.example',
    'xbroker-1.orders.example',
    '',
  ]) {
    assert.equal(nodeForServerName(sni, name), null, name);
  }
});

test('overlapping ends of the pattern are no node', () => {
  const tight = { ...sni, hostPattern: 'ab$(nodeId)ba' };
  assert.equal(nodeForServerName(tight, 'aba'), null);
});
