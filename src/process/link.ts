/** Messages between the supervisor and one of its workers, each way: JSON lines over a pipe of their own. */
import type { Duplex } from 'node:stream';
import { workerMessageBytesMax } from '../lib/limits.ts';

export interface LinkHandlers<In> {
  message(message: In): void;
  /** The other side is gone, or said what nobody understands; once, after the last message. */
  closed(reason: string): void;
}

const lineEnd = 0x0a;

/**
 * Order is kept in each direction. Not over the channel that Node opens to a child: there a message waits behind each
 * socket that is handed over until the child has it.
 */
export class Link<Out extends object, In extends object> {
  readonly #stream: Duplex;
  readonly #handlers: LinkHandlers<In>;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #closed = false;

  constructor(stream: Duplex, handlers: LinkHandlers<In>) {
    this.#stream = stream;
    this.#handlers = handlers;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('error', (error) => this.#close(error.message));
    stream.on('end', () => this.#close('the other side is gone'));
    stream.on('close', () => this.#close('the other side is gone'));
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(message: Out): void {
    this.sendText(JSON.stringify(message));
  }

  /** @param text one message as JSON, where the caller has it already */
  sendText(text: string): void {
    if (!this.#closed && this.#stream.writable) this.#stream.write(`${text}\n`);
  }

  /** Resolves when everything sent so far has left this process. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed || !this.#stream.writable) resolve();
      else this.#stream.write('', () => resolve());
    });
  }

  close(): void {
    this.#close('closed from this side');
    this.#stream.destroy();
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(lineEnd); end !== -1; end = chunk.indexOf(lineEnd, from)) {
      const part = chunk.subarray(from, end);
      from = end + 1;
      const line = this.#rest.length === 0 ? part : Buffer.concat([...this.#rest, part]);
      this.#rest = [];
      this.#restBytes = 0;
      if (line.length > 0 && !this.#closed && !this.#deliver(line)) return;
    }
    if (from === chunk.length) return;
    this.#rest.push(chunk.subarray(from));
    this.#restBytes += chunk.length - from;
    if (this.#restBytes > workerMessageBytesMax) this.#give(`a message is larger than ${workerMessageBytesMax} bytes`);
  }

  /** False where nobody can say what it means: the link is given up, for what comes behind it may mean anything. */
  #deliver(line: Buffer): boolean {
    let message: In;
    try {
      message = JSON.parse(line.toString('utf8')) as In;
    } catch {
      this.#give('a message is not JSON');
      return false;
    }
    this.#handlers.message(message);
    return true;
  }

  #give(reason: string): void {
    this.#close(reason);
    this.#stream.destroy();
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.closed(reason);
  }
}
