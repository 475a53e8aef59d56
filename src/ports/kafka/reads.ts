/**
 * How bytes come off a socket. By default Node allocates a fresh buffer for each read, and the page faults of that
 * cost more than all the rest at large frames. Here a socket reads into one buffer of its own, again and again, and its
 * handle tells of each read straight away, past the stream, whose own part in it is work that nobody here needs.
 *
 * `net.connect` offers the buffer (`onread`). For accepted sockets there is no public way: the connection's handle is put
 * into a socket made with `onread`. That and the way past the stream are undocumented, so they are tried once on a real
 * connection before they are used; where they do not work (or for TLS, whose bytes come decrypted) sockets that connect
 * read as `onread` has it, and from accepted ones chunks come in 'data' events as ever.
 */
import { Socket, type TcpNetConnectOpts, connect } from 'node:net';
import { tryOnLoopback } from './loopback-trial.ts';

/**
 * What an accepted and a connecting socket read into at first, and any at most: a buffer that a read has filled makes room
 * for one four times as large. Brokers' answers to those who produce are small.
 */
const acceptedBufferBytes = 2_048;
const connectingBufferBytes = 512;
const readBufferBytesMax = 262_144;

/** @param borrowed the bytes will be written over once the call returns and the socket is not paused */
export type OnBytes = (bytes: Buffer, borrowed: boolean) => void;

/** What bytes are handed to; set once it is known, before anything can be read. */
export interface Reader {
  onBytes: OnBytes;
}

/** What a connection reads by. */
interface Handle {
  /** All that it has read. */
  readonly bytesRead: number;
  /** Called after each read, at the end of the bytes and for errors. @returns the buffer for the next reads, if another */
  onread: (this: Handle, chunk: unknown) => unknown;
}

interface WithHandle {
  _handle: Handle | null;
}

/** A connecting socket that reads into one buffer. Nothing may come before it says that it is connected. */
export function connectReading(target: TcpNetConnectOpts, reader: Reader): Socket {
  const memory = new ReadBuffer(reader, connectingBufferBytes);
  const socket = connect({ ...target, onread: memory.onread });
  // Before that the handle may be replaced by one for another address of the host.
  if (works === true) socket.once('connect', () => readPastStream(socket, memory));
  return socket;
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
  const memory = new ReadBuffer(reader, acceptedBufferBytes);
  const options = { handle, onread: memory.onread, allowHalfOpen: false };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  readPastStream(socket, memory);
  socket.once('close', () => accepted.destroy());
  return socket;
}

/** Has the handle tell of what it has read without its stream, which still hears of the end and of errors. */
function readPastStream(socket: Socket, memory: ReadBuffer): void {
  const handle = (socket as unknown as WithHandle)._handle;
  if (handle === null) return;
  const { onread } = handle;
  let before = handle.bytesRead;
  handle.onread = function (chunk) {
    const all = this.bytesRead;
    const bytes = all - before;
    before = all;
    return bytes > 0 ? memory.read(bytes) : onread.call(this, chunk);
  };
}

/** The memory that one socket reads into. */
class ReadBuffer {
  readonly #reader: Reader;
  #buffer: Buffer;
  #view: Buffer;

  constructor(reader: Reader, bytes: number) {
    this.#reader = reader;
    // Slow: memory of its own, of which the kernel backs only the pages that are written.
    this.#view = this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  /** As `net.connect` takes it. */
  get onread(): { readonly buffer: () => Buffer; readonly callback: (bytes: number) => boolean } {
    return {
      buffer: () => this.#buffer,
      callback: (bytes) => {
        this.read(bytes);
        return true;
      },
    };
  }

  /** Hands over what was read. @returns another buffer for what comes next, if it takes one */
  read(bytes: number): Buffer | undefined {
    const buffer = this.#buffer;
    // Chunks are often of one size, and a view costs more than to look.
    const view = this.#view.length === bytes ? this.#view : (this.#view = buffer.subarray(0, bytes));
    this.#reader.onBytes(view, true);
    if (bytes < buffer.length || bytes >= readBufferBytesMax) return undefined;
    this.#view = this.#buffer = Buffer.allocUnsafeSlow(Math.min(4 * bytes, readBufferBytesMax));
    return this.#buffer;
  }
}

let works: boolean | null = null;

/** Whether both undocumented ways work on this Node: tried once, with a real connection, both ways and to its end. */
export async function detectTakeOver(): Promise<boolean> {
  works ??= await tryTakeOver().catch(() => false);
  return works;
}

function tryTakeOver(): Promise<boolean> {
  return tryOnLoopback({
    accepted(accepted, finish) {
      const socket = rewrap(accepted, { onBytes: (bytes) => socket?.write(Buffer.from(bytes)) });
      if (socket === null) return finish(false);
      socket.once('error', () => finish(false));
      // The end has to come by way of the stream.
      socket.once('end', () => socket.end('!'));
      socket.resume();
    },
    dialled(port, finish) {
      const client = connect({ host: '127.0.0.1', port });
      let seen = '';
      client.on('data', (chunk: Buffer) => {
        seen += chunk.toString();
        if (seen === 'ping') client.write('pong');
        if (seen === 'pingpong') client.end();
        if (seen === 'pingpong!') finish(true);
      });
      client.write('ping');
      return client;
    },
  });
}
