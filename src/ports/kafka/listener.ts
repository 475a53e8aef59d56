/**
 * The sockets of one port: one for bootstrap, and in port-per-broker mode one for each broker that may come. Takes
 * the PROXY header and TLS off, learns which broker is meant, and hands the connection on.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Server, type Socket, createServer } from 'node:net';
import { type SecureContextOptions, type Server as TlsServer, type TLSSocket, createServer as createTlsServer } from 'node:tls';
import { AuthenticationError, principalFromCertificate } from '../../identity/identity.ts';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { authenticationTimeoutMs, unauthenticatedConnectionsMax } from '../../lib/limits.ts';
import type { Principal } from '../../model/principal.ts';
import type { HostPort, ServerTlsSettings } from '../../model/settings.ts';
import { nodeForServerName } from './addresses.ts';
import type { BrokerTarget } from './cluster.ts';
import { type Arrival, ClientConnection } from './connection.ts';
import type { ConnectionParts } from './parts.ts';
import { parseProxyHeader } from './proxy-protocol.ts';

const backlog = 1_024;
const certificatesCheckedEveryMs = 5_000;

export class Listener {
  readonly #parts: ConnectionParts;
  readonly #connections = new Set<ClientConnection>();
  readonly #servers: Server[] = [];
  /** Sockets that have not become connections yet: PROXY header or TLS handshake under way. */
  readonly #arriving = new Set<Socket>();
  /** TLS handshakes under way, by the ends of their connections: what was known of a socket before TLS. */
  readonly #handshakes = new Map<string, Handshake>();
  #tlsServer: TlsServer | null = null;
  #certificatesTimer: NodeJS.Timeout | null = null;
  #certificatesDigest = '';
  #bound: HostPort | null = null;
  #draining = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get address(): HostPort | null {
    return this.#bound;
  }

  /** @throws SluiceError `listen-failed`, `tls-files-unusable` */
  async start(): Promise<void> {
    const { listen, advertise } = this.#parts.settings;
    if (listen.tls !== undefined) await this.#startTls(listen.tls);
    try {
      this.#bound = await this.#open(listen.host, listen.port, 'bootstrap');
      if (advertise.mode === 'ports') {
        for (let index = 0; index < advertise.count; index++) {
          await this.#open(listen.host, advertise.firstPort + index, advertise.firstNodeId + index);
        }
      }
    } catch (error) {
      await this.stop('the port could not be opened');
      throw error;
    }
  }

  /** No new connections; those there are answer what is in flight, for `timeoutMs` at the most. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#stopAccepting();
    for (const connection of this.#connections) connection.drain();
    const deadline = performance.now() + timeoutMs;
    while (this.#connections.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.stop('the gateway stops');
  }

  async stop(reason: string): Promise<void> {
    this.#stopAccepting();
    for (const socket of this.#arriving) socket.destroy();
    for (const connection of this.#connections) connection.close(reason);
    await Promise.all(this.#servers.map((server) => (server.listening ? closed(server) : Promise.resolve())));
  }

  #stopAccepting(): void {
    if (this.#certificatesTimer !== null) clearInterval(this.#certificatesTimer);
    for (const server of this.#servers) if (server.listening) server.close();
  }

  #open(host: string, port: number, target: BrokerTarget): Promise<HostPort> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket, target));
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => {
        reject(
          new SluiceError(
            'listen-failed',
            `Port "${this.#parts.settings.name}" cannot listen on ${host}:${port}: ${cause.message}. Stop what holds it, or choose another.`,
            { cause },
          ),
        );
      });
      server.listen({ host, port, backlog }, () => {
        const address = server.address();
        resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
      });
    });
  }

  #accept(socket: Socket, target: BrokerTarget): void {
    if (this.#unauthenticated() >= unauthenticatedConnectionsMax) {
      this.#parts.observer.connectionClosed(this.#parts.settings.name, 'too many unauthenticated connections');
      socket.destroy();
      return;
    }
    this.#arriving.add(socket);
    socket.once('close', () => this.#arriving.delete(socket));
    socket.on('error', () => socket.destroy());
    const facts = { target, address: socket.remoteAddress ?? '', addressPort: socket.remotePort ?? 0 };
    if (this.#parts.settings.listen.proxyProtocol === 'off') {
      this.#unwrap(socket, facts);
      return;
    }
    this.#readProxyHeader(socket, facts);
  }

  #unauthenticated(): number {
    let count = this.#arriving.size;
    for (const connection of this.#connections) if (!connection.authenticated) count += 1;
    return count;
  }

  #readProxyHeader(socket: Socket, facts: ArrivalFacts): void {
    let seen = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), authenticationTimeoutMs);
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      try {
        const header = parseProxyHeader(seen);
        if (header === null) return;
        clearTimeout(timer);
        socket.off('data', onData);
        socket.pause();
        if (seen.length > header.bytes) socket.unshift(seen.subarray(header.bytes));
        this.#unwrap(socket, header.address === null ? facts : { ...facts, address: header.address, addressPort: header.port });
      } catch (error) {
        clearTimeout(timer);
        this.#parts.logger.warn({ address: facts.address, reason: messageOf(error) }, 'a connection was refused');
        socket.destroy();
      }
    };
    socket.once('close', () => clearTimeout(timer));
    socket.on('data', onData);
  }

  #unwrap(socket: Socket, facts: ArrivalFacts): void {
    if (this.#tlsServer === null) {
      this.#hand(socket, { ...facts, socket, tls: false, certificatePrincipal: null });
      return;
    }
    const key = endsOf(socket);
    const timer = setTimeout(() => socket.destroy(), authenticationTimeoutMs);
    this.#handshakes.set(key, { raw: socket, facts, timer });
    socket.once('close', () => {
      clearTimeout(timer);
      this.#handshakes.delete(key);
    });
    this.#tlsServer.emit('connection', socket);
  }

  async #startTls(tls: ServerTlsSettings): Promise<void> {
    const files = await readServerFiles(tls);
    this.#certificatesDigest = digestOf(files);
    const server = createTlsServer({
      ...contextOf(files, tls),
      requestCert: tls.clientAuth !== 'none',
      // Looked at in `#clientCertificate`, which can say in the log what was wrong with it.
      rejectUnauthorized: false,
    });
    server.on('secureConnection', (secure) => this.#secured(secure));
    server.on('tlsClientError', (error, secure) => {
      this.#parts.logger.info({ address: secure.remoteAddress, reason: error.message }, 'a TLS handshake failed');
      secure.destroy();
    });
    this.#tlsServer = server;
    this.#certificatesTimer = setInterval(() => void this.#reloadCertificates(tls), certificatesCheckedEveryMs);
    this.#certificatesTimer.unref();
  }

  /** Renewed certificates serve new connections without a restart; a broken renewal leaves the old ones in place. */
  async #reloadCertificates(tls: ServerTlsSettings): Promise<void> {
    try {
      const files = await readServerFiles(tls);
      const digest = digestOf(files);
      if (digest === this.#certificatesDigest) return;
      this.#tlsServer?.setSecureContext(contextOf(files, tls));
      this.#certificatesDigest = digest;
      this.#parts.logger.info({ file: tls.certFile }, 'the TLS certificate was renewed');
    } catch (error) {
      this.#parts.logger.error({ reason: messageOf(error) }, 'the renewed TLS certificate cannot be used; the old one stays');
    }
  }

  #secured(secure: TLSSocket): void {
    const handshake = this.#handshakes.get(endsOf(secure));
    if (handshake === undefined) {
      secure.destroy();
      return;
    }
    const { raw, facts, timer } = handshake;
    clearTimeout(timer);
    this.#arriving.delete(raw);
    const target = this.#targetOf(secure, facts.target);
    if (target === null) {
      this.#parts.logger.warn({ address: facts.address, serverName: typeof secure.servername === 'string' ? secure.servername : '' }, 'a TLS server name is none of this port');
      secure.destroy();
      return;
    }
    const certificate = this.#clientCertificate(secure, facts);
    if (certificate === 'refused') {
      secure.destroy();
      return;
    }
    this.#hand(raw, { ...facts, target, socket: secure, tls: true, certificatePrincipal: certificate });
  }

  /** In SNI mode the name says which broker is meant; a client without one is at the door, as with a plain address. */
  #targetOf(secure: TLSSocket, target: BrokerTarget): BrokerTarget | null {
    const { advertise } = this.#parts.settings;
    if (advertise.mode !== 'sni') return target;
    const name = secure.servername;
    return typeof name === 'string' && name !== '' ? nodeForServerName(advertise, name) : 'bootstrap';
  }

  /**
   * Who the client's certificate says it is. One that the CAs do not vouch for ends the connection even where none is
   * needed: whoever shows it means to be known by it.
   */
  #clientCertificate(secure: TLSSocket, facts: ArrivalFacts): Principal | 'refused' | null {
    const { listen, authentication } = this.#parts.settings;
    const clientAuth = listen.tls?.clientAuth ?? 'none';
    const certificate = clientAuth === 'none' ? undefined : secure.getPeerX509Certificate();
    if (certificate === undefined) {
      if (clientAuth !== 'required') return null;
      this.#certificateRefused({ code: 'certificate-missing', detail: 'no client certificate was sent; this port requires one' }, facts);
      return 'refused';
    }
    if (!secure.authorized) {
      const why = String(secure.authorizationError);
      const code = why === 'CERT_HAS_EXPIRED' ? 'expired' : why === 'CERT_NOT_YET_VALID' ? 'not-yet-valid' : 'certificate-untrusted';
      const detail = `the client certificate was not accepted: ${why}; valid ${certificate.validFrom} to ${certificate.validTo}`;
      this.#certificateRefused({ code, detail, claimedId: certificate.subject.replaceAll('\n', ',') }, facts);
      return 'refused';
    }
    if (authentication.certificates.length === 0) return null;
    try {
      return principalFromCertificate({ raw: certificate.raw }, authentication.certificates, this.#parts.clock.nowMs());
    } catch (error) {
      const failure = error instanceof AuthenticationError ? error : { code: 'certificate-unreadable', detail: messageOf(error) };
      this.#certificateRefused(failure, facts);
      // Trusted but unmapped: it says nothing about who the client is, so a token still may where the port takes them.
      return authentication.mechanisms.length === 0 ? 'refused' : null;
    }
  }

  #certificateRefused(failure: { readonly code: string; readonly detail: string; readonly claimedId?: string | undefined }, facts: ArrivalFacts): void {
    const { code, detail, claimedId = '' } = failure;
    this.#parts.logger.info({ address: facts.address, code, reason: detail }, 'a client certificate was refused');
    this.#parts.gate.authenticationFailed(
      { code, detail, claimedId, claimedIssuer: 'mtls' },
      {
        port: this.#parts.settings.name,
        address: facts.address,
        addressPort: facts.addressPort,
        clientId: '',
        softwareName: '',
        softwareVersion: '',
        mechanism: 'MTLS',
        tls: true,
      },
    );
  }

  #hand(raw: Socket, arrival: Arrival): void {
    this.#arriving.delete(raw);
    // Its handshake was under way when the drain began.
    if (this.#draining) {
      arrival.socket.destroy();
      return;
    }
    this.#parts.observer.connectionOpened(this.#parts.settings.name);
    const connection = new ClientConnection(arrival, this.#parts, (closedConnection) => this.#connections.delete(closedConnection));
    this.#connections.add(connection);
  }
}

type ArrivalFacts = Pick<Arrival, 'target' | 'address' | 'addressPort'>;

interface Handshake {
  readonly raw: Socket;
  readonly facts: ArrivalFacts;
  readonly timer: NodeJS.Timeout;
}

/** Both ends of a connection as the kernel tells them apart: the same for a socket and the TLS put around it. */
function endsOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? ''} ${socket.localAddress ?? ''} ${socket.localPort ?? ''}`;
}

interface ServerFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

async function readServerFiles(tls: ServerTlsSettings): Promise<ServerFiles> {
  const read = (path: string): Promise<Buffer> =>
    readFile(path).catch((cause: unknown) => {
      throw new SluiceError('tls-files-unusable', `File ${path} cannot be read: ${messageOf(cause)}.`, { cause });
    });
  return {
    cert: await read(tls.certFile),
    key: await read(tls.keyFile),
    ...(tls.clientCaFile === undefined ? {} : { ca: await read(tls.clientCaFile) }),
  };
}

function contextOf(files: ServerFiles, { clientAuth }: ServerTlsSettings): SecureContextOptions & { sessionTimeout?: number } {
  // Resumed sessions would carry no client certificate to look at.
  return { ...files, minVersion: 'TLSv1.2', ...(clientAuth === 'none' ? {} : { sessionTimeout: 0 }) };
}

function digestOf(files: ServerFiles): string {
  const hash = createHash('sha256');
  for (const part of [files.cert, files.key, files.ca ?? Buffer.alloc(0)]) hash.update(part).update('\0');
  return hash.digest('hex');
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.once('close', () => resolve());
  });
}
