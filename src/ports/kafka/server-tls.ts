/** The files behind a TLS listener: read, told apart when renewed, and made into what Node's TLS takes. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import type { ServerTlsSettings } from '../../model/settings.ts';

/** PEM, as read. */
export interface ServerFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

/** @throws SluiceError `tls-files-unusable` */
export async function readServerFiles(tls: ServerTlsSettings): Promise<ServerFiles> {
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

/** The same for the first certificate and for a renewed one. */
export function contextOf(
  files: ServerFiles,
  { clientAuth }: ServerTlsSettings,
): SecureContextOptions & { sessionTimeout?: number } {
  // Resumed sessions would carry no client certificate to look at.
  return { ...files, minVersion: 'TLSv1.2', ...(clientAuth === 'none' ? {} : { sessionTimeout: 0 }) };
}

/** Tells renewed files from those in use. */
export function digestOf(files: ServerFiles): string {
  const hash = createHash('sha256');
  for (const part of [files.cert, files.key, files.ca ?? Buffer.alloc(0)]) hash.update(part).update('\0');
  return hash.digest('hex');
}
