/** What the gateway is measured beside: something that listens, and forwards to a broker. */

/** What stands behind every proxy. */
export interface Upstream {
  readonly port: number;
}

export interface Peer {
  readonly name: string;
  /** Where the load connects, on 127.0.0.1. */
  readonly port: number;
  /** The process whose cost counts, with all it started; `null` where there is none in between. */
  readonly pid: number | null;
  /** A process that works for the load, as its client's TLS: its cost is the load's. */
  readonly loadSidePid?: number | null;
  /** Frames that open a connection; `null` where there is nothing to authenticate to. */
  readonly openingFile: string | null;
  stop(): Promise<void>;
}

/** Says why a peer cannot take part; the others still do. */
export class PeerMissing extends Error {
  override readonly name = 'PeerMissing';
}

/** No proxy: the load speaks to the broker. */
export function direct(upstream: Upstream): Peer {
  return { name: 'direct', port: upstream.port, pid: null, openingFile: null, stop: () => Promise.resolve() };
}
