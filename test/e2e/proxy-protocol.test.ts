/** A balancer in front that tells the client's address in a PROXY protocol v2 header. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { type PortScenes, failure, opened, startPortScenes } from '../../harness/port-scenes.ts';
import type { Scene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';

const payments = { topics: [{ name: 'payments' }] };

let ground: PortScenes;

before(async () => {
  ground = await startPortScenes();
});

after(async () => {
  await ground?.stop();
});

/** PROXY protocol v2, `PROXY` over TCP and IPv4, from 203.0.113.7:4711. */
function proxyHeader(address = [203, 0, 113, 7], port = 4_711): Buffer {
  const header = Buffer.alloc(28);
  Buffer.from('0d0a0d0a000d0a515549540a', 'hex').copy(header);
  header[12] = 0x21;
  header[13] = 0x11;
  header.writeUInt16BE(12, 14);
  Buffer.from(address).copy(header, 16);
  Buffer.from([10, 0, 0, 1]).copy(header, 20);
  header.writeUInt16BE(port, 24);
  header.writeUInt16BE(9_092, 26);
  return header;
}

describe('behind a balancer that sends PROXY headers', () => {
  let on: Scene;
  let overTls: Scene;

  before(async () => {
    on = await ground.scene({ proxyProtocol: 'required' });
    overTls = await ground.scene({ proxyProtocol: 'required', tls: 'server' });
  });

  test("the client's address, not the balancer's, stands in the log", async () => {
    const client = await WireClient.connect(on.bootstrap, { preamble: proxyHeader() });
    assert.equal((await client.authenticate(await ground.idp.token('alice'))).errorCode, 0);
    assert.equal((await client.ask('Metadata', 12, payments)).topics[0]?.errorCode, 0);
    await opened(on, { address: '203.0.113.7' });
    client.close();
  });

  test('the header and the first request in one packet, and the header byte by byte', async () => {
    const first = await WireClient.connect(on.bootstrap);
    first.write(
      Buffer.concat([proxyHeader([203, 0, 113, 8]), first.frame('SaslHandshake', 1, { mechanism: 'PLAIN' })]),
    );
    assert.equal((await first.answer('SaslHandshake', 1)).message.errorCode, 0);
    first.close();
    const slow = await WireClient.connect(on.bootstrap);
    for (const byte of proxyHeader([203, 0, 113, 9])) {
      slow.write(Buffer.from([byte]));
      await sleep(2);
    }
    assert.equal((await slow.authenticate(await ground.idp.token('alice'))).errorCode, 0);
    await opened(on, { address: '203.0.113.9' });
    slow.close();
  });

  test('TLS inside, its first packet with the header or after it', async () => {
    for (const [last, together] of [
      [20, false],
      [21, true],
    ] as const) {
      const raw = await WireClient.connect(overTls.bootstrap);
      const { socket } = raw;
      const header = proxyHeader([203, 0, 113, last]);
      if (together) {
        socket.cork();
        socket.write(header);
      } else {
        socket.write(header);
        await sleep(50);
      }
      assert.ok(overTls.authority);
      const secure = connectTls({ socket, ca: overTls.authority.ca, servername: 'localhost' });
      if (together) setImmediate(() => socket.uncork());
      await new Promise((resolve, reject) => {
        secure.once('secureConnect', resolve);
        secure.once('error', reject);
      });
      const client = WireClient.over(secure);
      assert.equal((await client.authenticate(await ground.idp.token('alice'))).errorCode, 0);
      await opened(overTls, { address: `203.0.113.${last}` });
      client.close();
    }
  });

  const broken: [string, Buffer][] = [
    ['no header at all', Buffer.from([0, 0, 0, 20, 0, 18, 0, 3, 0, 0, 0, 1, 0, 1, 0x78, 0])],
    ['version 1', Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 4711 9092\r\n')],
    [
      'a garbled signature',
      Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540b', 'hex'), proxyHeader().subarray(12)]),
    ],
    [
      'a wrong version',
      Buffer.concat([proxyHeader().subarray(0, 12), Buffer.from([0x11]), proxyHeader().subarray(13)]),
    ],
    [
      'addresses cut short',
      Buffer.concat([proxyHeader().subarray(0, 14), Buffer.from([0, 4]), proxyHeader().subarray(16, 20)]),
    ],
    [
      'a length beyond the bound',
      Buffer.concat([proxyHeader().subarray(0, 14), Buffer.from([0xff, 0xff]), proxyHeader().subarray(16)]),
    ],
  ];
  for (const [what, bytes] of broken) {
    test(`${what} ends the connection`, async () => {
      const since = Date.now();
      const client = await WireClient.connect(on.bootstrap, { preamble: bytes });
      assert.ok(await client.closes(2_000));
      await failure(on, 'proxy-header-invalid', since);
    });
  }
});
