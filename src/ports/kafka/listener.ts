/**
 * The sockets of one port: one for bootstrap, and in port-per-broker mode one for each broker that may come. Takes
 * the PROXY header and TLS off, learns which broker is meant, and hands the connection on.
 */
import { type Server, type Socket, createServer } from 'node:net';
import { type Server as TlsServer, type TLSSocket, createServer as createTlsServer } from 'node:tls';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { authenticationTimeoutMs } from '../../lib/limits.ts';
import type { HostPort, KafkaPortSettings, ServerTlsSettings } from '../../model/settings.ts';
import { nodeForServerName } from './addresses.ts';
import { clientCertificate } from './client-certificate.ts';
import type { BrokerTarget } from './cluster.ts';
import { ClientConnection } from './connection.ts';
import { Newcomers } from './newcomers.ts';
import type { Arrival, ConnectionParts } from './parts.ts';
import { parseProxyHeader } from './proxy-protocol.ts';
import { type Reader, detectTakeOver, readChunks, takeOver } from './reads.ts';
import { detectGatheredReads, readGathered } from './secure-reads.ts';
import { contextOf, digestOf, readServerFiles } from './server-tls.ts';
import { detectDirectWrites } from './writes.ts';

const backlog = 1_024;
const certificatesCheckedEveryMs = 5_000;

export class Listener {
  readonly #parts: ConnectionParts;
  readonly #connections = new Set<ClientConnection>();
  readonly #newcomers: Newcomers;
  readonly #servers: Server[] = [];
  /** Sockets that have not become connections yet: PROXY header or TLS handshake under way. */
  readonly #arriving = new Set<Socket>();
  /** TLS handshakes under way, by the ends of their connections: what was known of a socket before TLS. */
  readonly #handshakes = new Map<string, Handshake>();
  #tlsServer: TlsServer | null = null;
  /** Accepted sockets read into one buffer each: not under TLS, and not behind a PROXY header, which is read first. */
  #readsDirectly = false;
  #certificatesTimer: NodeJS.Timeout | null = null;
  #certificatesDigest = '';
  #bound: HostPort | null = null;
  #draining = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#newcomers = new Newcomers(parts);
  }

  get connections(): number {
    return this.#connections.size;
  }

  get address(): HostPort | null {
    return this.#bound;
  }

  /** @throws SluiceError `listen-failed`, `tls-files-unusable` */
  async start(): Promise<void> {
    await this.prepare();
    try {
      for (const { host, port, target } of kafkaSockets(this.#parts.settings)) {
        const bound = await this.#open(host, port, target);
        this.#bound ??= bound;
      }
    } catch (error) {
      await this.stop('the port could not be opened');
      throw error;
    }
  }

  /** All of `start` but the sockets: they are another process's, and their connections come by `take`. @throws SluiceError `tls-files-unusable` */
  async prepare(): Promise<void> {
    const { listen } = this.#parts.settings;
    if (listen.tls !== undefined) await this.#startTls(listen.tls);
    const taken = await detectTakeOver();
    const gathers = await detectGatheredReads();
    if (!(await detectDirectWrites()) || !taken || !gathers) {
      this.#parts.logger.warn(
        { node: process.version },
        'reading and writing past streams did not work in a trial on this Node: requests cost more CPU, and all else is the same',
      );
    }
    this.#readsDirectly = listen.tls === undefined && listen.proxyProtocol === 'off' && taken;
  }

  /** A connection from which nothing has been read yet. @param place which of `kafkaSockets` it came in by */
  take(socket: Socket, place: number): void {
    const at = kafkaSockets(this.#parts.settings)[place];
    if (at === undefined || this.#draining) socket.destroy();
    else this.#accept(socket, at.target);
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
    const server = createServer({ noDelay: true, pauseOnConnect: this.#readsDirectly }, (socket) =>
      this.#accept(socket, target),
    );
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
    const facts = { target, address: socket.remoteAddress ?? '', addressPort: socket.remotePort ?? 0 };
    if (!this.#newcomers.admit(socket, facts)) {
      socket.destroy();
      return;
    }
    this.#arriving.add(socket);
    socket.once('close', () => this.#arriving.delete(socket));
    socket.on('error', () => socket.destroy());
    if (this.#parts.settings.listen.proxyProtocol === 'off') {
      this.#unwrap(socket, facts);
      return;
    }
    this.#readProxyHeader(socket, facts);
  }

  #readProxyHeader(socket: Socket, facts: ArrivalFacts): void {
    let seen = Buffer.alloc(0);
    const timer = setTimeout(() => this.#tooSlow(socket, facts, 'PROXY header'), authenticationTimeoutMs);
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      try {
        const header = parseProxyHeader(seen);
        if (header === null) return;
        clearTimeout(timer);
        socket.off('data', onData);
        socket.pause();
        if (seen.length > header.bytes) socket.unshift(seen.subarray(header.bytes));
        this.#unwrap(
          socket,
          header.address === null ? facts : { ...facts, address: header.address, addressPort: header.port },
        );
      } catch (error) {
        clearTimeout(timer);
        this.#parts.logger.warn({ address: facts.address, reason: messageOf(error) }, 'a connection was refused');
        this.#newcomers.refused('proxy-header-invalid', messageOf(error), facts);
        socket.destroy();
      }
    };
    socket.once('close', () => clearTimeout(timer));
    socket.on('data', onData);
  }

  #tooSlow(socket: Socket, facts: ArrivalFacts, what: string): void {
    this.#newcomers.refused('timeout', `No ${what} within ${authenticationTimeoutMs / 1_000} s.`, facts);
    socket.destroy();
  }

  #unwrap(socket: Socket, facts: ArrivalFacts): void {
    if (this.#tlsServer === null) {
      this.#handPlain(socket, facts);
      return;
    }
    const key = endsOf(socket);
    const timer = setTimeout(() => this.#tooSlow(socket, facts, 'TLS handshake'), authenticationTimeoutMs);
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
      const facts = this.#handshakes.get(endsOf(secure))?.facts;
      this.#parts.logger.info(
        { address: facts?.address ?? secure.remoteAddress, reason: error.message },
        'a TLS handshake failed',
      );
      // Whoever only looks whether the port is open tries nothing.
      const onlyLeft = 'code' in error && error.code === 'ECONNRESET';
      if (facts !== undefined && !onlyLeft) this.#newcomers.refused('tls-handshake-failed', error.message, facts);
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
      this.#parts.logger.error(
        { reason: messageOf(error) },
        'the renewed TLS certificate cannot be used; the old one stays',
      );
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
      this.#parts.logger.warn(
        { address: facts.address, serverName: typeof secure.servername === 'string' ? secure.servername : '' },
        'a TLS server name is none of this port',
      );
      this.#newcomers.refused('server-name-unknown', 'the TLS server name is none of this port', facts);
      secure.destroy();
      return;
    }
    const certificate = clientCertificate(secure, facts, this.#parts);
    if (certificate === 'refused') {
      secure.destroy();
      return;
    }
    const reader: Reader = { onBytes: () => {} };
    if (!readGathered(secure, reader)) readChunks(secure, reader);
    this.#hand(raw, { ...facts, target, socket: secure, reader, tls: true, certificatePrincipal: certificate });
  }

  /** In SNI mode the name says which broker is meant; a client without one is at the door, as with a plain address. */
  #targetOf(secure: TLSSocket, target: BrokerTarget): BrokerTarget | null {
    const { advertise } = this.#parts.settings;
    if (advertise.mode !== 'sni') return target;
    const name = secure.servername;
    return typeof name === 'string' && name !== '' ? nodeForServerName(advertise, name) : 'bootstrap';
  }

  #handPlain(socket: Socket, facts: ArrivalFacts): void {
    const reader: Reader = { onBytes: () => {} };
    const taken = this.#readsDirectly ? takeOver(socket, reader) : null;
    if (taken === null) readChunks(socket, reader);
    this.#hand(socket, { ...facts, socket: taken ?? socket, reader, tls: false, certificatePrincipal: null });
  }

  #hand(raw: Socket, arrival: Arrival): void {
    this.#arriving.delete(raw);
    // Its handshake was under way when the drain began.
    if (this.#draining) {
      arrival.socket.destroy();
      return;
    }
    this.#parts.observer.connectionOpened(this.#parts.settings.name);
    const connection = new ClientConnection(arrival, this.#parts, (closedConnection) =>
      this.#connections.delete(closedConnection),
    );
    this.#connections.add(connection);
    this.#newcomers.became(raw, connection);
  }
}

export interface KafkaSocket extends HostPort {
  readonly target: BrokerTarget;
}

/** Where a port listens: for bootstrap first, then for each broker that may come. */
export function kafkaSockets({ listen, advertise }: KafkaPortSettings): readonly KafkaSocket[] {
  const { host, port } = listen;
  const bootstrap: KafkaSocket = { host, port, target: 'bootstrap' };
  if (advertise.mode !== 'ports') return [bootstrap];
  const { firstPort, firstNodeId, count } = advertise;
  const brokers = Array.from({ length: count }, (_, index): KafkaSocket => {
    return { host, port: firstPort + index, target: firstNodeId + index };
  });
  return [bootstrap, ...brokers];
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

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.once('close', () => resolve());
  });
}
