import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCertificateAuthority } from '../../harness/certificates.ts';
import type { CertificateAuthority } from '../../harness/certificates.ts';
import type { Settings } from '../model/settings.ts';
import { loadSettings } from './config.ts';

let folder = '';
let authority: CertificateAuthority;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-config-'));
  await mkdir(join(folder, 'policies'));
  authority = await createCertificateAuthority(join(folder, 'tls'));
});
after(() => rm(folder, { recursive: true, force: true }));

const minimal = `apiVersion: sluice/v1
kind: Gateway
gatewayId: gw-1
ports:
  - name: orders
    protocol: kafka
    listen: 127.0.0.1:19092
    advertise: { host: localhost, ports: 19093-19112 }
    upstream: { bootstrap: "kafka-1:9092" }
    authentication: { allowTokensWithoutTls: true }
identity:
  issuers:
    - { name: corp, issuer: "https://idp.example.com", audience: sluice }
policies: ./policies
`;

async function write(text: string): Promise<string> {
  const path = join(folder, 'sluice.yaml');
  await writeFile(path, text);
  return path;
}

async function settingsOf(text: string): Promise<Settings> {
  const result = await loadSettings(await write(text));
  assert.ok(result.ok, JSON.stringify(result, null, 1));
  return result.settings;
}

/** `line:column: message` of each problem. */
async function problemsOf(text: string): Promise<readonly string[]> {
  const result = await loadSettings(await write(text));
  assert.ok(!result.ok, 'the configuration should not load');
  for (const problem of result.problems) assert.ok(problem.path.endsWith('sluice.yaml'), problem.path);
  return result.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

async function assertProblem(text: string, expected: RegExp): Promise<void> {
  const problems = await problemsOf(text);
  assert.ok(
    problems.some((problem) => expected.test(problem)),
    `${String(expected)} not in:\n${problems.join('\n')}`,
  );
}

const edited = (from: string, to: string): string => {
  assert.ok(minimal.includes(from), from);
  return minimal.replace(from, to);
};

describe('a configuration that holds', () => {
  test('gets every default, and paths relative to its file', async () => {
    assert.deepEqual(await settingsOf(minimal), {
      gatewayId: 'gw-1',
      workers: 1,
      ports: [
        {
          name: 'orders',
          protocol: 'kafka',
          listen: { host: '127.0.0.1', port: 19092, proxyProtocol: 'off' },
          advertise: { mode: 'ports', host: 'localhost', firstPort: 19093, firstNodeId: 0, count: 20 },
          upstream: { bootstrap: [{ host: 'kafka-1', port: 9092 }] },
          authentication: {
            mechanisms: ['OAUTHBEARER', 'PLAIN'],
            allowTokensWithoutTls: true,
            maxSessionLifetimeMs: 3_600_000,
            certificates: [],
          },
          idleTimeoutMs: 600_000,
        },
      ],
      issuers: [
        {
          name: 'corp',
          issuer: 'https://idp.example.com',
          audiences: ['sluice'],
          algorithms: ['RS256', 'ES256'],
          clockLeewayMs: 30_000,
          keysMaxAgeMs: 86_400_000,
          mapping: { id: 'sub', kind: { value: 'workload' } },
          requiredClaims: {},
        },
      ],
      policyDirectory: join(folder, 'policies'),
      audit: {
        directory: join(folder, 'audit'),
        mode: 'strict',
        windowMs: 10_000,
        checkpoint: { everyMs: 10_000, entries: 1_000, keyFile: join(folder, 'audit-key') },
      },
      recording: {
        directory: join(folder, 'recordings'),
        keyFile: join(folder, 'recordings-key'),
        mode: 'strict',
        segmentBytesMax: 67_108_864,
        freeBytesMin: 268_435_456,
      },
      telemetry: { listen: { host: '127.0.0.1', port: 9464 }, logLevel: 'info' },
      drainTimeoutMs: 30_000,
    });
  });

  test('with TLS, client certificates, SNI and an upstream with SCRAM', async () => {
    await authority.serverFiles('gateway', { dns: ['orders.example.com', '*.orders.example.com'] });
    const files = await authority.serverFiles('gateway', { dns: ['orders.example.com', '*.orders.example.com'] });
    const settings = await settingsOf(`apiVersion: sluice/v1
kind: Gateway
ports:
  - name: orders
    protocol: kafka
    listen: { host: "::", port: 9093, proxyProtocol: required }
    tls: { cert: ${files.certFile}, key: ${files.keyFile}, clientCa: ${authority.caFile} }
    advertise: { sni: "broker-$(nodeId).orders.example.com", bootstrap: orders.example.com }
    upstream:
      bootstrap: [kafka-1:9092, { host: kafka-2, port: 9092 }]
      tls: true
      sasl: { mechanism: SCRAM-SHA-512, username: gateway, password: { command: [cat, secret] } }
    authentication:
      mechanisms: []
      certificates: [{ from: subject, match: "CN=([^,]+)", kind: job, groups: [batch] }]
policies: policies
telemetry: { listen: "off" }
`);
    const [port] = settings.ports;
    assert.equal(port?.listen.tls?.clientAuth, 'required', 'a client CA alone asks for the safer of the two');
    assert.equal(port?.listen.proxyProtocol, 'required');
    assert.deepEqual(port?.advertise, {
      mode: 'sni',
      hostPattern: 'broker-$(nodeId).orders.example.com',
      bootstrapHost: 'orders.example.com',
      port: 9093,
    });
    assert.deepEqual(port?.upstream.tls, {});
    assert.deepEqual(port?.upstream.sasl, {
      mechanism: 'SCRAM-SHA-512',
      username: 'gateway',
      password: { command: ['cat', 'secret'] },
    });
    assert.equal('listen' in settings.telemetry, false);
  });
});

test('the example of docs/configuration.md has the right shape', async () => {
  const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const example = /```yaml\n([^]*?)```/.exec(page)?.[1] ?? assert.fail('no example');
  const problems = await problemsOf(example);
  // What is left is that its certificates are not here.
  for (const problem of problems) assert.match(problem, /tls\/.* cannot be read/);
});

describe('problems of the shape', () => {
  test('are reported all at once, each at its line and column', async () => {
    const problems = await problemsOf(`apiVersion: sluice/v1
kind: Gatway
ports:
  - name: Orders
    protocl: kafka
    listen: 9092
    advertise: { host: localhost, ports: 12-3 }
    upstream: { bootstrap: [] }
    idleTimeout: 30
`);
    const expected = [
      /^1:1: "policies" is missing\.$/,
      /^2:7: Write Gateway\.$/,
      /^4:5: "protocol" is missing\. Write kafka\.$/,
      /^4:11: A name has 1 to 63/,
      /^5:5: Unknown key "protocl"\. Did you mean "protocol"\?$/,
      /^6:13: Write host:port/,
      /^7:42: Give a range/,
      /^8:28: Name at least one broker/,
      /^9:18: Write a length of time with its unit/,
    ];
    for (const one of expected)
      assert.ok(
        problems.some((problem) => one.test(problem)),
        `${String(one)}\n${problems.join('\n')}`,
      );
    assert.equal(problems.length, expected.length, problems.join('\n'));
  });

  const cases: readonly (readonly [what: string, from: string, to: string, expected: RegExp])[] = [
    [
      'a secret in the file',
      'bootstrap: "kafka-1:9092"',
      'bootstrap: a:1, sasl: { mechanism: PLAIN, username: u, password: hunter2 }',
      /^9:\d+: A secret must not stand in this file/,
    ],
    [
      'two sources of a secret',
      'bootstrap: "kafka-1:9092"',
      'bootstrap: a:1, sasl: { mechanism: PLAIN, username: u, password: { env: A, file: b } }',
      /Give exactly one of env, file and command/,
    ],
    [
      'an unknown SASL mechanism',
      'bootstrap: "kafka-1:9092"',
      'bootstrap: a:1, sasl: { mechanism: GSSAPI }',
      /Write one of PLAIN, SCRAM-SHA-256/,
    ],
    [
      'an idle timeout below what clients keep',
      'authentication:',
      'idleTimeout: 8m\n    authentication:',
      /Must be at least 9m\. Kafka clients keep idle/,
    ],
    ['a shared-secret algorithm', 'audience: sluice', 'audience: sluice, algorithms: [HS256]', /never accepted/],
    ['an issuer without TLS', 'https://idp', 'http://idp', /https address exactly as/],
    ['no audience', 'audience: sluice', 'audience: []', /Name at least one/],
    ['a duplicate key', 'gatewayId: gw-1', 'gatewayId: gw-1\ngatewayId: gw-2', /^4:1: .*unique/],
    ['a second document', 'gatewayId: gw-1', 'gatewayId: gw-1\n---\na: 1', /more than one document/],
    ['a port that is none', '127.0.0.1:19092', '127.0.0.1:70000', /from 0 to 65535/],
    [
      'clientAuth without a CA',
      'authentication:',
      'tls: { cert: a, key: b, clientAuth: required }\n    authentication:',
      /clientAuth needs clientCa/,
    ],
    ['mixed ways to advertise', 'host: localhost, ports', 'sni: "b-$(nodeId).x", bootstrap: x.y, ports', /choose one/],
    [
      'a token endpoint in the clear',
      'bootstrap: "kafka-1:9092"',
      'bootstrap: a:1, sasl: { mechanism: OAUTHBEARER, tokenUrl: "http://x/t", clientId: a, clientSecret: { env: A } }',
      /https address/,
    ],
  ];
  for (const [what, from, to, expected] of cases) test(what, () => assertProblem(edited(from, to), expected));

  test('never repeat a secret', async () => {
    const problems = await problemsOf(
      edited('bootstrap: "kafka-1:9092"', 'bootstrap: a:1, sasl: { mechanism: PLAIN, username: u, password: hunter2 }'),
    );
    assert.ok(!problems.join('\n').includes('hunter2'));
  });

  test('an alias bomb is refused, not expanded', async () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `${'abcdefghij'[i]}: &${'abcdefghij'[i]} [${Array.from({ length: 9 }, () => `*${'abcdefghij'[i - 1]}`).join(', ')}]`,
      );
    await assertProblem(lines.join('\n'), /alias/i);
  });

  test('no such file, a folder, and an empty file say what to do', async () => {
    const missing = await loadSettings(join(folder, 'nope.yaml'));
    assert.match(missing.ok ? '' : (missing.problems[0]?.message ?? ''), /no such file.*sluice init/);
    const directory = await loadSettings(folder);
    assert.match(directory.ok ? '' : (directory.problems[0]?.message ?? ''), /This is a folder/);
    await assertProblem('', /empty/);
  });
});

describe('problems between sections', () => {
  test('tokens in the clear have to be asked for', () =>
    assertProblem(
      edited('    authentication: { allowTokensWithoutTls: true }\n', ''),
      /^5:5: Tokens would cross the network in the clear/,
    ));
  test('tokens without an issuer', () =>
    assertProblem(minimal.replace(/identity:[^]*(?=policies:)/, ''), /names nobody who issues them/));
  test('a port nobody can authenticate on', () =>
    assertProblem(edited('{ allowTokensWithoutTls: true }', '{ mechanisms: [] }'), /Nobody could authenticate/));
  test('a listener within the broker ports', () =>
    assertProblem(edited('19093-19112', '19090-19112'), /^8:\d+: TCP port 19092 is taken twice/));
  test('telemetry within the broker ports', () =>
    assertProblem(
      `${minimal}telemetry: { listen: 0.0.0.0:19100 }\n`,
      /^15:\d+: TCP port 19100 is taken twice: by the telemetry listener and by the broker ports of port "orders"/,
    ));
  test('the same port on another address is no overlap', async () => {
    await settingsOf(`${minimal}telemetry: { listen: 127.0.0.2:19100 }\n`);
  });
  test('SNI without TLS', () =>
    assertProblem(
      edited('{ host: localhost, ports: 19093-19112 }', '{ sni: "b-$(nodeId).x.y", bootstrap: x.y }'),
      /needs TLS/,
    ));
  test('a missing policy folder', () => assertProblem(edited('./policies', './polices'), /^14:11: There is no folder/));
});

describe('files', () => {
  const withTls = (cert: string, key: string, advertised = 'localhost'): string =>
    edited(
      '    advertise: { host: localhost',
      `    tls: { cert: ${cert}, key: ${key} }\n    advertise: { host: ${advertised}`,
    );

  test('a certificate and its key', async () => {
    const files = await authority.serverFiles('own');
    assert.equal(
      (await settingsOf(withTls(files.certFile, files.keyFile))).ports[0]?.listen.tls?.certFile,
      files.certFile,
    );
  });
  test('the key of another certificate', async () => {
    const one = await authority.serverFiles('one');
    const two = await authority.serverFiles('two');
    await assertProblem(withTls(one.certFile, two.keyFile), /^8:\d+: The key in .* does not belong to the certificate/);
  });
  test('files that are missing or something else', async () => {
    const files = await authority.serverFiles('own');
    await assertProblem(withTls('/nonexistent/cert.pem', files.keyFile), /cannot be read/);
    await assertProblem(withTls(files.keyFile, files.keyFile), /holds no certificate/);
    await assertProblem(withTls(files.certFile, files.certFile), /holds no private key/);
  });
  test('warnings: expired, the wrong name, a secret that is not set', async () => {
    const files = await authority.serverFiles('old', {
      notBefore: new Date('2020-01-01'),
      notAfter: new Date('2021-01-01'),
    });
    const text = withTls(files.certFile, files.keyFile, 'gw.example.com').replace(
      'bootstrap: "kafka-1:9092"',
      'bootstrap: a:1, sasl: { mechanism: PLAIN, username: u, password: { env: SLUICE_TEST_UNSET } }',
    );
    const result = await loadSettings(await write(text));
    assert.ok(result.ok, JSON.stringify(result));
    const messages = result.warnings.map(({ message }) => message).join('\n');
    assert.match(messages, /expired on 2021-01-01/);
    assert.match(messages, /not valid for gw\.example\.com/);
    assert.match(messages, /SLUICE_TEST_UNSET is not set/);
  });
});
