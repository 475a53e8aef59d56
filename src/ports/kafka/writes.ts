/**
 * How bytes get onto a socket. A stream's `write` makes several objects and a tick of its own for each call, which
 * at small frames costs as much as all that is decided about them. Where bytes leave at once, as they mostly do, nothing
 * of that is needed: here they are handed to the connection's handle itself.
 *
 * That is undocumented, so it is tried once on a real connection before it is used, with bytes that leave at once and with
 * more than leave at once; where it does not work (or for TLS, whose bytes are encrypted first) streams write as ever.
 */
import { type Socket, connect } from 'node:net';
import { TLSSocket } from 'node:tls';
import { getSystemErrorMessage } from 'node:util';
import { type Finish, tryOnLoopback } from './loopback-trial.ts';

/** What the handle reports a write by that did not leave at once. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** The handle does not keep the bytes alive by itself. */
  buffer?: Buffer;
  /** @returns -1 unless the write is under way, and a report of it to come */
  getAsyncId(): number;
}

interface Handle {
  /** @returns 0, or a negative error number of libuv */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

interface WithHandle {
  _handle: Handle | null;
}

const notUnderWay = -1;

let WriteRequestOf: (new () => WriteRequest) | null = null;
let works: boolean | null = null;

/** Writes on one socket past its stream. */
export class DirectWriter {
  readonly #socket: Socket;
  readonly #onSent: () => void;
  /** A request of which the handle made no use, since all bytes left in its first try: it serves again. */
  #spare: WriteRequest | null = null;
  #pendingBytes = 0;

  private constructor(socket: Socket, onSent: () => void) {
    this.#socket = socket;
    this.#onSent = onSent;
  }

  /**
   * @param onSent called when bytes have left that did not leave at once
   * @returns `null` where this Node does not allow it, or this socket does not
   */
  static on(socket: Socket, onSent: () => void): DirectWriter | null {
    return works === true && !(socket instanceof TLSSocket) ? new DirectWriter(socket, onSent) : null;
  }

  /** For the trial alone, which finds out whether it works. */
  static untried(socket: Socket, onSent: () => void): DirectWriter {
    return new DirectWriter(socket, onSent);
  }

  /** Bytes that were taken and have not left: their memory is still needed. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** @returns false where it did not take the bytes: they are the stream's to write */
  write(bytes: Buffer): boolean {
    const socket = this.#socket;
    const handle = (socket as unknown as WithHandle)._handle;
    if (handle === null || WriteRequestOf === null || socket.writableLength > 0 || socket.connecting) return false;
    const request = this.#spare ?? new WriteRequestOf();
    const status = handle.writeBuffer(request, bytes);
    if (status !== 0) {
      socket.destroy(writeError(status));
      return true;
    }
    // An empty queue would not do: a second try may have sent the rest, and the handle still holds the request to report it.
    if (request.getAsyncId() === notUnderWay) this.#spare = request;
    else this.#await(request, bytes);
    return true;
  }

  #await(request: WriteRequest, bytes: Buffer): void {
    this.#spare = null;
    this.#pendingBytes += bytes.length;
    request.buffer = bytes;
    request.oncomplete = (status) => {
      this.#pendingBytes -= bytes.length;
      if (status < 0) this.#socket.destroy(writeError(status));
      else this.#onSent();
    };
  }
}

function writeError(status: number): Error {
  return new Error(`write: ${getSystemErrorMessage(status)}`);
}

/** Whether a socket's handle takes bytes as it should on this Node: tried once, with a real connection. */
export async function detectDirectWrites(): Promise<boolean> {
  works ??= await tryDirectWrites().catch(() => false);
  return works;
}

const trialPart: Buffer = Buffer.alloc(1_000_000);
/** More than a socket's buffers hold on either side. */
const trialPartsMax = 64;
const greeting = 'ping';

function tryDirectWrites(): Promise<boolean> {
  const receiver = new Receiver();
  return tryOnLoopback({
    async accepted(socket, finish) {
      await learnRequest(socket);
      writeTrial(socket, receiver, finish);
    },
    dialled: (port) => connect({ host: '127.0.0.1', port, onread: receiver }),
  });
}

/** Reads into one buffer again and again: a process that starts should not keep the memory of a trial. */
class Receiver {
  readonly buffer: Buffer = Buffer.alloc(65_536);
  bytes = 0;
  greetings = '';
  onBytes: () => void = () => {};

  readonly callback = (count: number): boolean => {
    const rest = Math.min(count, Math.max(0, 2 * greeting.length - this.bytes));
    this.greetings += this.buffer.toString('latin1', 0, rest);
    this.bytes += count;
    this.onBytes();
    return true;
  };
}

/** What a stream itself hands to the handle with its bytes is what the handle wants. */
function learnRequest(socket: Socket): Promise<void> {
  const handle = (socket as unknown as WithHandle)._handle;
  if (handle === null) throw new Error('a socket without a handle');
  const write = handle.writeBuffer.bind(handle);
  handle.writeBuffer = (request, bytes): number => {
    WriteRequestOf = request.constructor as new () => WriteRequest;
    return write(request, bytes);
  };
  return new Promise((resolve) => {
    socket.write(Buffer.from(greeting), () => {
      handle.writeBuffer = write;
      resolve();
    });
  });
}

function writeTrial(socket: Socket, receiver: Receiver, finish: Finish): void {
  let sent = false;
  const writer = DirectWriter.untried(socket, () => (sent = writer.pendingBytes === 0));
  if (!writer.write(Buffer.from(greeting)) || writer.pendingBytes !== 0) return finish(false);
  let parts = 0;
  for (; writer.pendingBytes === 0 && parts < trialPartsMax; parts += 1) if (!writer.write(trialPart)) break;
  if (writer.pendingBytes === 0) return finish(false);
  const expected = 2 * greeting.length + parts * trialPart.length;
  receiver.onBytes = () => {
    if (receiver.bytes < expected) return;
    const right = receiver.greetings === greeting + greeting && receiver.bytes === expected;
    setImmediate(() => finish(right && sent));
  };
}
