/**
 * How bytes come off a socket. By default Node allocates a fresh buffer for each read, and the page faults of that
 * cost more than all the rest at large frames. Here a socket reads into one buffer of its own, again and again.
 *
 * `net.connect` offers that (`onread`). For accepted sockets there is no public way: the connection's handle is put
 * into a socket made with `onread`. That is undocumented, so it is tried once on a real connection before it is used,
 * and where it does not work (or for TLS, whose bytes come decrypted) chunks come in 'data' events as ever.
 */
import { Socket, type TcpNetConnectOpts, connect } from 'node:net';
import { tryOnLoopback } from './loopback-trial.ts';

/** What a socket reads into at first, and at most: a buffer that a read has filled makes room for one four times as large. */
const readBufferBytes = 2_048;
const readBufferBytesMax = 262_144;

/** @param borrowed the bytes will be written over once the call returns and the socket is not paused */
export type OnBytes = (bytes: Buffer, borrowed: boolean) => void;

/** What bytes are handed to; set once it is known, before anything can be read. */
export interface Reader {
  onBytes: OnBytes;
}

interface WithHandle {
  _handle: object | null;
}

/** A connecting socket that reads into one buffer. */
export function connectReading(target: TcpNetConnectOpts, reader: Reader): Socket {
  return connect({ ...target, onread: onreadOf(reader) });
}

/** Chunks by 'data' events: each has memory of its own. */
export function readChunks(socket: Socket, reader: Reader): void {
  socket.on('data', (chunk: Buffer) => reader.onBytes(chunk, false));
}

/**
 * Makes an accepted socket read into one buffer. It must be paused and unread (`pauseOnConnect`).
 *
 * @returns the socket to use from here on, or `null` where this Node does not allow it: then the given one is untouched
 */
export function takeOver(accepted: Socket, reader: Reader): Socket | null {
  if (works !== true) return null;
  return rewrap(accepted, reader);
}

function rewrap(accepted: Socket, reader: Reader): Socket | null {
  const shell = accepted as unknown as WithHandle;
  const handle = shell._handle;
  if (handle === null || typeof handle !== 'object') return null;
  // Without its handle the accepted socket is an empty shell; closing it later only tells the server that it is gone.
  shell._handle = null;
  const options = { handle, onread: onreadOf(reader), allowHalfOpen: false };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.once('close', () => accepted.destroy());
  return socket;
}

function onreadOf(reader: Reader): { buffer: () => Buffer; callback: (bytes: number) => boolean } {
  // Slow: memory of its own, of which the kernel backs only the pages that are written.
  let buffer = Buffer.allocUnsafeSlow(readBufferBytes);
  let view = buffer;
  return {
    buffer: () => buffer,
    callback(bytes) {
      // Chunks are often of one size, and a view costs more than to look.
      if (view.length !== bytes) view = buffer.subarray(0, bytes);
      reader.onBytes(view, true);
      if (bytes === buffer.length && bytes < readBufferBytesMax) {
        buffer = Buffer.allocUnsafeSlow(Math.min(4 * bytes, readBufferBytesMax));
        view = buffer;
      }
      return true;
    },
  };
}

let works: boolean | null = null;

/** Whether accepted sockets can be taken over on this Node: tried once, with a real connection, both ways and to its end. */
export async function detectTakeOver(): Promise<boolean> {
  works ??= await tryTakeOver().catch(() => false);
  return works;
}

function tryTakeOver(): Promise<boolean> {
  return tryOnLoopback({
    accepted(accepted, finish) {
      const socket = rewrap(accepted, { onBytes: (bytes) => socket?.write(Buffer.from(bytes)) });
      if (socket === null) finish(false);
      socket?.once('error', () => finish(false));
    },
    dialled(port, finish) {
      const client = connect({ host: '127.0.0.1', port });
      let seen = '';
      client.on('data', (chunk: Buffer) => {
        seen += chunk.toString();
        if (seen === 'ping') client.write('pong');
        if (seen === 'pingpong') finish(true);
      });
      client.write('ping');
      return client;
    },
  });
}
