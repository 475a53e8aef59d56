/**
 * How decrypted bytes come off a TLS socket. Node gives each record of 16 KB fresh memory and an event of its own; under
 * load the garbage collector is then called for several times a second. Here all TLS sockets are read into one buffer,
 * and what a turn brought a connection is put together and handed over at once, as from a plain socket.
 *
 * `onread` has no public way onto a TLS socket that a server made. That it can be set afterwards is undocumented, so it is
 * tried once on a real connection before it is used; where it does not work, chunks come in 'data' events as ever.
 */
import { TLSSocket, connect as connectTls } from 'node:tls';
import { type Finish, tryOnLoopback } from './loopback-trial.ts';
import type { Reader } from './reads.ts';

/** RFC 8446 §5.1: a record holds no more. */
const recordBytesMax = 16_384;
/** What a turn's bytes are put together in. */
const gatheredBytesMax = 262_144;
/** Records still come after reading was stopped: those whose bytes had been taken off the connection before. */
const reserveBytes = 4 * recordBytesMax;
/** Memory kept for turns to come. */
const spareMax = 16;

interface Handle {
  useUserBuffer(buffer: Buffer): void;
}

type Internals = TLSSocket & { readonly _handle: Handle | null } & Record<symbol, unknown>;

/** Of all sockets: what comes in it is copied before anything else can come. */
const record: Buffer = Buffer.allocUnsafeSlow(recordBytesMax);
const spare: Buffer[] = [];

let works: boolean | null = null;

/**
 * To be called where the handshake has just been done, and before anything listens to the socket.
 *
 * @returns false where this Node does not allow it: then the socket is untouched
 */
export function readGathered(socket: TLSSocket, reader: Reader): boolean {
  return works === true && gather(socket, reader);
}

function gather(socket: TLSSocket, reader: Reader): boolean {
  const { _handle: handle } = socket as Internals;
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) => symbolOf(socket, name));
  if (buffer === undefined || callback === undefined || typeof handle?.useUserBuffer !== 'function') return false;
  if (socket.readableLength > 0) return false;
  const gathered = new Gathered(socket, reader);
  const internals = socket as Internals;
  internals[buffer] = record;
  internals[callback] = (bytes: number): boolean => gathered.take(bytes);
  handle.useUserBuffer(record);
  return true;
}

function symbolOf(socket: TLSSocket, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
}

/** What has come on one connection in this turn. */
class Gathered {
  readonly #socket: TLSSocket;
  readonly #reader: Reader;
  /** Only while something is gathered, or lies where it was handed over. */
  #memory: Buffer | null = null;
  #start = 0;
  #end = 0;
  #due = false;
  #stopped = false;

  constructor(socket: TLSSocket, reader: Reader) {
    this.#socket = socket;
    this.#reader = reader;
    const deliver = (): void => this.#deliver();
    socket.on('resume', deliver);
    // What came before the end is handed over before the end.
    for (const event of ['end', 'error', 'close']) socket.on(event, () => this.#handOver());
  }

  /** A record has come. @returns false where no more should be read in this turn */
  take(bytes: number): boolean {
    const memory = this.#roomFor(bytes);
    record.copy(memory, this.#end, 0, bytes);
    this.#end += bytes;
    if (!this.#due) {
      this.#due = true;
      setImmediate(this.#turn);
    }
    this.#stopped = memory.length - this.#end < reserveBytes;
    return !this.#stopped;
  }

  #roomFor(bytes: number): Buffer {
    let memory = this.#memory ?? spare.pop() ?? Buffer.allocUnsafeSlow(gatheredBytesMax);
    if (memory.length - this.#end < bytes) {
      const larger = Buffer.allocUnsafeSlow(2 * memory.length);
      this.#end = memory.copy(larger, 0, this.#start, this.#end);
      this.#start = 0;
      memory = larger;
    }
    return (this.#memory = memory);
  }

  readonly #turn = (): void => {
    this.#due = false;
    this.#deliver();
  };

  #deliver(): void {
    if (this.#due || this.#socket.isPaused()) return;
    this.#handOver();
    if (this.#socket.isPaused()) return;
    this.#letGo();
    if (!this.#stopped) return;
    this.#stopped = false;
    // Node reads on where nothing is being read.
    this.#socket.read(0);
  }

  #handOver(): void {
    if (this.#memory === null || this.#start === this.#end) return;
    const bytes = this.#memory.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#reader.onBytes(bytes, true);
  }

  /** Who does not pause the socket needs no byte any more. */
  #letGo(): void {
    const memory = this.#memory;
    this.#memory = null;
    this.#start = 0;
    this.#end = 0;
    if (memory?.length === gatheredBytesMax && spare.length < spareMax) spare.push(memory);
  }
}

/** Whether TLS sockets can be read so on this Node: tried once, with a real connection. */
export async function detectGatheredReads(): Promise<boolean> {
  works ??= await tryGatheredReads().catch(() => false);
  return works;
}

const trialBytes = 300_000;
/** RFC 4279: a key both ends know takes the place of certificates, of which the trial has none. */
const trialTls = { ciphers: 'PSK-AES128-GCM-SHA256', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
const trialKey = Buffer.alloc(32, 'trial');

function tryGatheredReads(): Promise<boolean> {
  const sent = Buffer.from(Array.from({ length: trialBytes }, (_, index) => index % 251));
  return tryOnLoopback({
    accepted(raw, finish) {
      const pskCallback = (): Buffer => trialKey;
      const secure = new TLSSocket(raw, { isServer: true, ...trialTls, pskCallback } as object);
      secure.on('error', () => finish(false));
      secure.once('secure', () => expect(secure, sent, finish));
    },
    dialled(port, finish) {
      const pskCallback = (): { psk: Buffer; identity: string } => ({ psk: trialKey, identity: 'trial' });
      const target = { host: '127.0.0.1', port, checkServerIdentity: () => undefined, pskCallback };
      const client = connectTls({ ...target, ...trialTls } as object);
      client.once('secureConnect', () => client.write(sent));
      client.once('data', (answer: Buffer) => finish(answer.toString() === 'ok'));
      return client;
    },
  });
}

/** All of it, in order, with a pause after each turn. */
function expect(socket: TLSSocket, sent: Buffer, finish: Finish): void {
  let seen = 0;
  let pieces = 0;
  const gathered = gather(socket, {
    onBytes(bytes) {
      if (!bytes.equals(sent.subarray(seen, seen + bytes.length))) finish(false);
      seen += bytes.length;
      pieces += 1;
      if (seen === sent.length) socket.write(pieces > 1 ? 'ok' : 'not paused');
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    },
  });
  if (gathered) socket.resume();
  else finish(false);
}
