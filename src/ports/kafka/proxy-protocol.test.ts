import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SluiceError } from '../../lib/errors.ts';
import { parseProxyHeader } from './proxy-protocol.ts';

/** Written out by hand from proxy-protocol.txt §2.2: signature, version and command, family, length, addresses. */
const signature = '0d0a0d0a000d0a515549540a';
const overIpv4 = Buffer.from(`${signature}2111000cc0000201cb007107d43123 84`.replaceAll(' ', ''), 'hex');
const overIpv6 = Buffer.from(
  `${signature}2121002420010db800000000000000000000000120010db8000000000000000000000002d4312384`,
  'hex',
);
const local = Buffer.from(`${signature}20000000`, 'hex');

test('the client of the balancer, over IPv4 and IPv6', () => {
  assert.deepEqual(parseProxyHeader(overIpv4), { address: '192.0.2.1', port: 0xd431, bytes: 28 });
  assert.deepEqual(parseProxyHeader(overIpv6), { address: '2001:db8::1', port: 0xd431, bytes: 52 });
});

test('a health check speaks for itself', () => {
  assert.deepEqual(parseProxyHeader(local), { address: null, port: 0, bytes: 16 });
});

test('what follows the header is left to the client', () => {
  assert.equal(parseProxyHeader(Buffer.concat([overIpv4, Buffer.from('hello')]))?.bytes, 28);
});

test('every beginning of a header asks for more', () => {
  for (const header of [overIpv4, overIpv6, local]) {
    for (let length = 0; length < header.length; length += 1)
      assert.equal(parseProxyHeader(header.subarray(0, length)), null);
  }
});

test('version 1, other versions, commands, short and overlong addresses are refused', () => {
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(overIpv4);
    copy[at] = value;
    return copy;
  };
  for (const bytes of [
    Buffer.from('PROXY TCP4 192.0.2.1 203.0.113.7 54321 9092\r\n'),
    Buffer.from('\x00\x00\x00\x10'),
    changed(12, 0x11),
    changed(12, 0x22),
    changed(15, 8),
    changed(14, 0xff),
  ]) {
    assert.throws(() => parseProxyHeader(bytes), SluiceError);
  }
});

test('any bytes at all: a header, a wish for more, or the one error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, signed) => {
      const input = signed ? Buffer.concat([Buffer.from(signature, 'hex'), bytes]) : Buffer.from(bytes);
      try {
        parseProxyHeader(input);
      } catch (error) {
        assert.ok(error instanceof SluiceError && error.code === 'proxy-header-invalid');
      }
    }),
    { numRuns: 2_000 },
  );
});
