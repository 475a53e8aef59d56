/**
 * One witness, asked over HTTP (c2sp.org/tlog-witness, add-checkpoint): the size that it saw last, a proof that the new
 * tree continues that one, and the checkpoint. It answers with its cosignature.
 */
import { SluiceError } from '../../lib/errors.ts';
import type { WitnessSettings } from '../../model/settings.ts';
import { refusedBy, sendHttp } from '../sinks/http.ts';
import { parseNote } from './note.ts';
import { WitnessKey } from './witness-key.ts';

/** The proof that the tree of `size` continues that of `oldSize`. */
export type ConsistencyProver = (oldSize: number, size: number) => Promise<readonly Uint8Array[]>;

export class WitnessClient {
  readonly key: WitnessKey;
  readonly #settings: WitnessSettings;
  readonly #prove: ConsistencyProver;
  /** What the witness signed last, as far as known. */
  #seen: number;

  /** @throws SluiceError `key-malformed` */
  constructor(settings: WitnessSettings, seen: number, prove: ConsistencyProver) {
    this.key = WitnessKey.parse(settings.key);
    this.#settings = settings;
    this.#seen = seen;
    this.#prove = prove;
  }

  get seen(): number {
    return this.#seen;
  }

  /**
   * @returns the line of its cosignature, checked
   * @throws SluiceError `sink-unreachable`, `sink-refused`, `witness-wrong` where it answers with what is no cosignature of it
   */
  async cosign(size: number, note: string): Promise<string> {
    const first = await this.#ask(size, note);
    if (first.status !== 409) return this.#take(first, size, note);
    // "409 Conflict … the response body MUST consist of the tree size of the latest cosigned checkpoint".
    const said = /^(0|[1-9]\d{0,15})\n?$/.exec(first.body)?.[1];
    const seen = Number(said);
    if (said === undefined || !Number.isSafeInteger(seen)) throw refusedBy(this.#url, first);
    if (seen > size)
      throw new SluiceError(
        'witness-wrong',
        `The witness ${this.key.name} has seen a log of ${seen} entries under this name, and this one has ${size}.`,
      );
    this.#seen = seen;
    return this.#take(await this.#ask(size, note), size, note);
  }

  get #url(): URL {
    const { url } = this.#settings;
    return new URL(`${url.replace(/\/$/, '')}/add-checkpoint`);
  }

  async #ask(
    size: number,
    note: string,
  ): Promise<{ readonly status: number; readonly body: string; readonly retryAfter: string | undefined }> {
    const proof = this.#seen === 0 || this.#seen === size ? [] : await this.#prove(this.#seen, size);
    const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('');
    const body = Buffer.from(`old ${this.#seen}\n${lines}\n${note}`);
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    return sendHttp({ method: 'POST', url: this.#url, headers, body, caFile: this.#settings.caFile });
  }

  #take(
    answer: { readonly status: number; readonly body: string; readonly retryAfter: string | undefined },
    size: number,
    note: string,
  ): string {
    if (answer.status !== 200) throw refusedBy(this.#url, answer);
    const text = note.slice(0, note.indexOf('\n\n') + 1);
    for (const line of answer.body.split('\n')) {
      if (line === '' || !isCosignature(line, text, this.key)) continue;
      this.#seen = size;
      return line;
    }
    throw new SluiceError('witness-wrong', `The witness ${this.key.name} answered with no cosignature of its own.`, {
      retriable: true,
    });
  }
}

function isCosignature(line: string, text: string, key: WitnessKey): boolean {
  try {
    const { signatures } = parseNote(Buffer.from(`${text}\n${line}\n`));
    return signatures.length === 1 && signatures.every((signature) => typeof key.check(text, signature) === 'number');
  } catch {
    return false;
  }
}
