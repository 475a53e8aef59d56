/**
 * What every API of the port is made of: it reads operations out of a request, asks, and turns the decisions into
 * a request to forward, an answer of its own, or a closed connection. It never sees a socket and never decides.
 */
import type { GateSession } from '../../../gate/gate.ts';
import type { Action, ResourceType } from '../../../model/operation.ts';
import type { AddressBook } from '../addresses.ts';
import type { ClusterView } from '../cluster.ts';
import type { ApiName, Draft, RequestMessages, ResponseMessages } from '../protocol/protocol.ts';
import type { BrokerVersions } from '../versions.ts';
import { RequestRecorder } from './request-recorder.ts';

/** One request on its way through, and what its handler may ask. */
export interface Exchange<N extends ApiName> {
  readonly name: N;
  readonly version: number;
  /** Decoded, and the handler's own: it may be changed in place when the verdict says so. */
  readonly request: RequestMessages[N];
  readonly access: RequestAccess;
  readonly cluster: ClusterView;
  readonly addresses: AddressBook;
  /** What the broker behind this connection speaks. */
  readonly upstreamVersions: BrokerVersions;
  /** Stands for the client's connection: the key under which a handler keeps (in a `WeakMap`) what later requests of it need. */
  readonly connection: object;
}

export type Verdict<N extends ApiName> =
  | ForwardVerdict<N>
  | AnswerVerdict<N>
  | { readonly kind: 'close'; readonly reason: string };

export interface ForwardVerdict<N extends ApiName> {
  readonly kind: 'forward';
  /** Set where the request differs from what the client sent; absent: the client's own bytes go on. */
  readonly request?: Draft<RequestMessages[N]>;
  /** Version to speak upstream where it is not the client's; the response is put back into the client's version. */
  readonly upstreamVersion?: number;
  /** True for a request that has no response (Produce with acks=0). */
  readonly noResponse?: boolean;
  /**
   * Sees the decoded response and may change it in place. Absent: the response's bytes pass through unread.
   * @returns true where it changed something and the response must be encoded again
   */
  readonly onResponse?: (response: ResponseMessages[N]) => boolean | Promise<boolean>;
  /**
   * Asked when a large response begins to arrive: a scan lets it pass as it comes, `null` has it read whole.
   * @param payloadBytes size of the response's payload, without the frame's own size
   */
  readonly streams?: (payloadBytes: number) => ResponseScan | null;
}

/** Looks at a response's payload while it passes. What it throws closes the connection. */
export interface ResponseScan {
  /** The payload's next bytes; a view that is only good during the call, and that may be written to. */
  push(bytes: Buffer): void;
  end(): void;
  /** The connection ends before the response has passed whole; what has passed counts. */
  cut(): void;
}

export interface AnswerVerdict<N extends ApiName> {
  readonly kind: 'answer';
  readonly response: Draft<ResponseMessages[N]>;
}

export interface ApiHandler<N extends ApiName> {
  readonly name: N;
  /** The versions whose every field the handler knows; others are not advertised and are refused. */
  readonly versions: { readonly min: number; readonly max: number };
  /** The code that says "not now" to this API's clients; default KAFKA_STORAGE_ERROR, which topics' clients retry. */
  readonly unavailableCode?: number;
  handle(exchange: Exchange<N>): Verdict<N> | Promise<Verdict<N>>;
  /**
   * The whole request refused with one error code, in the API's own shape. Used where nothing may go on at all
   * (the audit log cannot be written, the upstream is gone). `null` where the API has no room for an error.
   */
  refuse(request: RequestMessages[N], code: number, version: number): Draft<ResponseMessages[N]> | null;
}

/** What stands for a connection: its session, which is another one from a re-authentication on. */
export interface SessionHolder {
  readonly session: GateSession;
}

/** Asks the gate in the name of one request. */
export class RequestAccess {
  readonly #holder: SessionHolder;
  readonly #requestName: string;
  #recorder: RequestRecorder | null = null;

  constructor(holder: SessionHolder, requestName: string) {
    this.#holder = holder;
    this.#requestName = requestName;
  }

  /** The connection's session now. An answer may come when it is no longer the one that the request was decided in. */
  get session(): GateSession {
    return this.#holder.session;
  }

  /** Decides and audits. @param partition -1 (the default) where no single partition is meant */
  may(action: Action, resourceType: ResourceType, resourceName: string, partition: number = -1): boolean {
    const decision = this.session.decide(action, resourceType, resourceName, partition, this.#requestName);
    if (decision.record === undefined) return decision.effect === 'permit';
    const { recorder } = this.session;
    if (recorder === null) {
      this.refused('recording-unavailable', 'the policy asks for a recording, and this gateway has none configured');
      return false;
    }
    this.#recorder ??= new RequestRecorder(recorder, this.#requestName);
    this.#recorder.oblige({ action, type: resourceType, name: resourceName, partition, obligation: decision.record });
    return true;
  }

  /** Decides and audits whether any resource of the type would do. */
  mayAny(action: Action, resourceType: ResourceType): boolean {
    return this.session.decideAny(action, resourceType, this.#requestName).effect === 'permit';
  }

  /**
   * Set once something permitted has to be recorded. Such a request takes the general path: it is decoded, its answer is
   * read whole, and the handler hands over the bytes.
   */
  get recorder(): RequestRecorder | null {
    return this.#recorder;
  }

  /** The same answer without an entry: for what is left out of listings silently. */
  sees(action: Action, resourceType: ResourceType, resourceName: string, partition: number = -1): boolean {
    return this.session.permits(action, resourceType, resourceName, partition);
  }

  /** An attempt that no rule could permit goes into the log. */
  refused(code: string, detail: string): void {
    this.session.refuse(code, detail, this.#requestName);
  }

  /** A topic id that no topic has: a guess, or a topic that is gone. Nothing of it goes on. */
  unknownTopic(topicId: string): void {
    this.refused('topic-id-unknown', `no topic has the id ${topicId}`);
  }

  get requestName(): string {
    return this.#requestName;
  }
}

/** Forward as it came, and let the answer pass unread. */
export const forwardUnread: { readonly kind: 'forward' } = Object.freeze({ kind: 'forward' });
