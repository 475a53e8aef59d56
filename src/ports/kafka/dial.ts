/** A socket to a broker, under TLS where the settings say so. */
import { readFile } from 'node:fs/promises';
import { type Socket, isIP } from 'node:net';
import { TLSSocket, connect as connectTls } from 'node:tls';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import type { ClientTlsSettings, HostPort } from '../../model/settings.ts';
import { type Reader, connectReading, readChunks } from './reads.ts';
import { readGathered } from './secure-reads.ts';

const connectTimeoutMs = 10_000;

export interface Dialled {
  readonly socket: Socket;
  /** Where its bytes go: set before anything can come, for a broker never speaks first. */
  readonly reader: Reader;
}

/** @throws SluiceError `upstream-unreachable`, `secret-unreadable` */
export async function dial(address: HostPort, tls: ClientTlsSettings | undefined): Promise<Dialled> {
  const files = tls === undefined ? null : await readTlsFiles(tls);
  const reader: Reader = { onBytes: () => {} };
  return new Promise<Dialled>((resolve, reject) => {
    const name = tls?.serverName ?? address.host;
    const socket =
      files === null
        ? connectReading({ host: address.host, port: address.port }, reader)
        : connectTls({
            host: address.host,
            port: address.port,
            ...files,
            // RFC 6066 §3: an IP address is no server name.
            ...(isIP(name) === 0 ? { servername: name } : {}),
          });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(unreachable(address, error.message));
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${connectTimeoutMs / 1000} s`)), connectTimeoutMs);
    socket.once('error', fail);
    socket.once(files === null ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      if (socket instanceof TLSSocket && !readGathered(socket, reader)) readChunks(socket, reader);
      resolve({ socket, reader });
    });
  });
}

/** Read anew for each connection, so that renewed certificates need no restart. */
async function readTlsFiles(tls: ClientTlsSettings): Promise<{ ca?: Buffer; cert?: Buffer; key?: Buffer }> {
  const read = (path: string): Promise<Buffer> =>
    readFile(path).catch((cause: unknown) => {
      throw new SluiceError('secret-unreadable', `File ${path} cannot be read: ${messageOf(cause)}.`, {
        cause,
        retriable: true,
      });
    });
  return {
    ...(tls.caFile === undefined ? {} : { ca: await read(tls.caFile) }),
    ...(tls.certFile === undefined ? {} : { cert: await read(tls.certFile) }),
    ...(tls.keyFile === undefined ? {} : { key: await read(tls.keyFile) }),
  };
}

export function unreachable(address: HostPort, detail: string): SluiceError<'upstream-unreachable'> {
  return new SluiceError('upstream-unreachable', `Broker ${address.host}:${address.port} cannot be used: ${detail}.`, {
    retriable: true,
  });
}
