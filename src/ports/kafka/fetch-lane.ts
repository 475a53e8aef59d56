/**
 * Fetch requests that need no closer look: everything they name is in their session or on flows that stand, in the version
 * that the last decoded one had. They are decided where they lie and leave with the bytes around them.
 */
import { RequestAccess, type ForwardVerdict, type SessionHolder } from './apis/handler.ts';
import { type FetchArrival, decideFetch } from './apis/fetch-fast.ts';
import type { ConnectionParts } from './parts.ts';
import { ProtocolError } from './protocol/protocol.ts';
import { StandingFlows } from './standing-flows.ts';

/** From here on topics are named by id. */
const topicIdVersion = 13;
const flexibleVersion = 12;
/** API key, version, correlation id, and the length of the client id. */
const headerBytesMin = 10;

export class FetchLane {
  readonly #holder: SessionHolder;
  readonly #parts: ConnectionParts;
  readonly #flows: StandingFlows;
  #arrival: FetchArrival | null = null;
  /** Partitions of the request under way that stand. */
  #found = 0;

  constructor(holder: SessionHolder, parts: ConnectionParts) {
    this.#holder = holder;
    this.#parts = parts;
    this.#flows = new StandingFlows('read', parts);
  }

  /** A request was decoded, decided and forwarded. @param connection as `Exchange` has it */
  learn(version: number, connection: object): void {
    if (this.#arrival?.version === version) return;
    const { cluster, addresses } = this.#parts;
    this.#flows.name(version >= topicIdVersion);
    this.#arrival = {
      version,
      access: new RequestAccess(this.#holder, `Fetch v${version}`),
      cluster,
      addresses,
      connection,
      stands: (topicKey, partition) => this.#stands(topicKey, partition),
    };
  }

  get version(): number {
    return this.#arrival?.version ?? -1;
  }

  /** Before the first `decide` of a turn. @returns false where nothing may pass now */
  begin(): boolean {
    return this.#arrival !== null && this.#flows.begin(this.#holder.session);
  }

  /**
   * Decides about a request whose payload lies in `bytes` from `start` to before `end`, and which passes with them; the
   * epoch of its session may be put in place there. `null` where it takes the usual way.
   */
  decide(bytes: Buffer, start: number, end: number): ForwardVerdict<'Fetch'> | null {
    const arrival = this.#arrival;
    if (arrival === null || end - start < headerBytesMin || bytes.readInt16BE(start + 2) !== arrival.version)
      return null;
    let headerBytes = headerBytesMin + Math.max(0, bytes.readInt16BE(start + 8));
    if (arrival.version >= flexibleVersion) {
      if (start + headerBytes >= end || bytes[start + headerBytes] !== 0) return null;
      headerBytes += 1;
    }
    if (start + headerBytes >= end) return null;
    this.#found = 0;
    try {
      const verdict = decideFetch(bytes.subarray(start, end), headerBytes, arrival);
      if (verdict !== null) this.#flows.carry(this.#found);
      return verdict;
    } catch (error) {
      // The usual way finds the same, and knows what to say to it.
      if (error instanceof ProtocolError) return null;
      throw error;
    }
  }

  /** After the last `decide` of a turn. */
  end(): void {
    this.#flows.end();
  }

  #stands(topicKey: string, partition: number): boolean {
    if (this.#flows.find(topicKey, partition) === null) return false;
    this.#found += 1;
    return true;
  }
}
