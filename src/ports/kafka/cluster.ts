/**
 * The gateway's own view of one upstream cluster: where its brokers are, what they speak, and which name a topic id
 * stands for. It asks on the gateway's own connection and learns from the answers that pass through as well.
 */
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { topicIdsMax } from '../../lib/limits.ts';
import type { Logger } from '../../lib/logger.ts';
import type { HostPort, UpstreamSettings } from '../../model/settings.ts';
import { errorCodes, errorName, type ResponseMessages, zeroUuid } from './protocol/protocol.ts';
import { Openings } from './openings.ts';
import { UpstreamConnection } from './upstream.ts';
import type { BrokerVersions } from './versions.ts';

const refreshEveryMs = 30_000;
const retryAfterMs = 1_000;
const reconnectAfterMs = 100;
/** Metadata by topic id works from version 12 on. */
const metadataByIdVersion = 12;

/** Which broker a connection is for: one of the cluster's nodes, or any of them. */
export type BrokerTarget = number | 'bootstrap';

type MetadataResponse = ResponseMessages['Metadata'];

export class ClusterView {
  readonly #settings: UpstreamSettings;
  readonly #logger: Logger;
  readonly #onFailure: (reason: string) => void;
  readonly #brokers = new Map<number, HostPort>();
  readonly #topicNames = new Map<string, string>();
  readonly #versions = new Map<BrokerTarget, BrokerVersions>();
  readonly #openings = new Map<BrokerTarget, Openings>();
  #connection: UpstreamConnection | null = null;
  #connecting: Promise<UpstreamConnection> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #lastError = 'not connected yet';
  #known = false;
  #reachable = false;

  constructor(settings: UpstreamSettings, logger: Logger, onFailure: (reason: string) => void) {
    this.#settings = settings;
    this.#logger = logger;
    this.#onFailure = onFailure;
  }

  /** Begins to learn, and keeps the view current until `stop`. */
  start(): void {
    void this.#refreshAndGoOn();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#connection?.close('the gateway stops');
  }

  /** Whether the upstream has answered lately, and why not. */
  status(): { readonly ready: boolean; readonly detail: string; readonly brokers: number } {
    const ready = this.#known && this.#connection !== null && !this.#connection.closed;
    return { ready, detail: ready ? 'connected' : this.#lastError, brokers: this.#brokers.size };
  }

  /** Node ids known now, in order. */
  nodeIds(): number[] {
    return [...this.#brokers.keys()].sort((a, b) => a - b);
  }

  /**
   * Opens a connection for one client, in its turn.
   *
   * @param wanted asked where it had to wait
   * @throws SluiceError `unknown-broker`, `upstream-busy`, `upstream-unreachable`, `upstream-authentication-failed`,
   *   `secret-unreadable`
   */
  async connect(target: BrokerTarget, wanted: () => boolean = () => true): Promise<UpstreamConnection> {
    const openings = this.#openings.get(target) ?? new Openings();
    this.#openings.set(target, openings);
    if (!(await openings.begin(wanted))) throw busy(target);
    try {
      return await this.#connect(target);
    } finally {
      openings.done();
      if (openings.idle) this.#openings.delete(target);
    }
  }

  async #connect(target: BrokerTarget): Promise<UpstreamConnection> {
    try {
      const connection =
        target === 'bootstrap'
          ? await this.#connectAny()
          : await UpstreamConnection.open(await this.#addressOf(target), this.#settings);
      this.#versions.set(target, connection.versions);
      return connection;
    } catch (error) {
      // It may come back as another version; and while it is away, clients are turned away at their first question.
      this.#versions.delete(target);
      throw error;
    }
  }

  /** What that broker speaks: as last seen, else asked now. */
  async versionsOf(target: BrokerTarget): Promise<BrokerVersions> {
    const known = this.#versions.get(target);
    if (known !== undefined) return known;
    if (target === 'bootstrap') return (await this.#own()).versions;
    const connection = await this.connect(target);
    connection.close('its versions are known now');
    return connection.versions;
  }

  /** Takes in where brokers are from an answer that came by, before its addresses are rewritten. */
  learnBrokers(brokers: readonly { nodeId: number; host: string; port: number }[]): void {
    for (const { nodeId, host, port } of brokers) {
      const known = this.#brokers.get(nodeId);
      if (known !== undefined && known.host === host && known.port === port) continue;
      if (known !== undefined) this.#logger.info({ nodeId, host, port }, 'a broker moved');
      this.#brokers.set(nodeId, { host, port });
      this.#versions.delete(nodeId);
    }
  }

  /** An id never changes its name: a topic made again has a new one. So what was learned once stays true. */
  learnTopic(topicId: string, name: string): void {
    if (topicId === zeroUuid || name === '' || this.#topicNames.has(topicId)) return;
    if (this.#topicNames.size >= topicIdsMax) {
      const oldest = this.#topicNames.keys().next();
      if (oldest.done !== true) this.#topicNames.delete(oldest.value);
    }
    this.#topicNames.set(topicId, name);
  }

  /** @returns the name, or `undefined` where it has not been learned: then `resolveTopics` asks */
  topicName(topicId: string): string | undefined {
    return this.#topicNames.get(topicId);
  }

  /**
   * Asks the cluster for the names of ids that are not known yet.
   *
   * @returns the ids that no topic answers to
   * @throws SluiceError `upstream-unreachable` when nobody answers: fail closed
   */
  async resolveTopics(topicIds: Iterable<string>): Promise<ReadonlySet<string>> {
    const unknown = new Set<string>();
    for (const id of topicIds) if (!this.#topicNames.has(id)) unknown.add(id);
    unknown.delete(zeroUuid);
    if (unknown.size === 0) return unknown;
    const connection = await this.#own();
    const answer = await connection.request('Metadata', metadataByIdVersion, {
      topics: [...unknown].map((topicId) => ({ topicId, name: null })),
      allowAutoTopicCreation: false,
    });
    this.#learn(answer);
    for (const id of unknown) if (this.#topicNames.has(id)) unknown.delete(id);
    return unknown;
  }

  /**
   * Which of the names no topic has.
   *
   * @throws SluiceError `upstream-unreachable`
   */
  async missingTopics(names: readonly string[]): Promise<ReadonlySet<string>> {
    if (names.length === 0) return new Set();
    const connection = await this.#own();
    const answer = await connection.request('Metadata', metadataByIdVersion, {
      topics: names.map((name) => ({ topicId: zeroUuid, name })),
      allowAutoTopicCreation: false,
    });
    this.#learn(answer);
    const missing = new Set<string>();
    for (const topic of answer.topics) {
      if (topic.errorCode !== 0 && topic.errorCode !== errorCodes.LEADER_NOT_AVAILABLE && topic.name !== null)
        missing.add(topic.name);
    }
    return missing;
  }

  /** Every topic of the cluster by name and id, for the requests that ask for all of them. */
  async allTopics(): Promise<readonly { readonly name: string; readonly topicId: string }[]> {
    const connection = await this.#own();
    const answer = await connection.request('Metadata', metadataByIdVersion, {
      topics: null,
      allowAutoTopicCreation: false,
    });
    this.#learn(answer);
    return answer.topics.flatMap(({ name, topicId }) => (name === null ? [] : [{ name, topicId }]));
  }

  /** A question of the gateway's own to the cluster, on its own connection. */
  async own(): Promise<UpstreamConnection> {
    return this.#own();
  }

  async #addressOf(nodeId: number): Promise<HostPort> {
    const known = this.#brokers.get(nodeId);
    if (known !== undefined) return known;
    await this.#refresh();
    const found = this.#brokers.get(nodeId);
    if (found === undefined) {
      throw new SluiceError('unknown-broker', `The cluster has no broker ${nodeId} now.`, { retriable: true });
    }
    return found;
  }

  async #own(): Promise<UpstreamConnection> {
    if (this.#connection !== null && !this.#connection.closed) return this.#connection;
    this.#connecting ??= this.#connectAny().finally(() => {
      this.#connecting = null;
    });
    const connection = await this.#connecting;
    if (this.#connection !== connection) this.#follow(connection);
    if (this.#stopped) connection.close('the gateway stops');
    return connection;
  }

  /** When the gateway's own connection ends, another is opened soon: readiness and the view of the cluster hang on it. */
  #follow(connection: UpstreamConnection): void {
    this.#connection = connection;
    connection.attach({
      onClose: (reason) => {
        if (this.#stopped || this.#connection !== connection) return;
        this.#versions.delete('bootstrap');
        this.#lastError = reason;
        this.#schedule(reconnectAfterMs);
      },
      onDrain: () => {},
      onTurn: () => {},
      onPassing: () => {},
      onPassed: () => {},
      mayReadOn: () => true,
    });
  }

  /** The configured addresses first, then every broker that was learned from them. */
  async #connectAny(): Promise<UpstreamConnection> {
    let lastError: unknown = null;
    for (const address of [...this.#settings.bootstrap, ...this.#brokers.values()]) {
      try {
        const connection = await UpstreamConnection.open(address, this.#settings);
        this.#versions.set('bootstrap', connection.versions);
        return connection;
      } catch (error) {
        lastError = error;
        this.#onFailure(messageOf(error));
      }
    }
    throw lastError;
  }

  async #refreshAndGoOn(): Promise<void> {
    let nextMs = refreshEveryMs;
    try {
      await this.#refresh();
      if (!this.#reachable) this.#logger.info({ brokers: this.#brokers.size }, 'the upstream cluster is known');
      this.#known = true;
      this.#reachable = true;
    } catch (error) {
      nextMs = retryAfterMs;
      const reason = messageOf(error);
      if (this.#reachable || reason !== this.#lastError)
        this.#logger.warn({ reason }, 'the upstream cluster cannot be reached');
      this.#reachable = false;
      this.#lastError = reason;
    }
    this.#schedule(nextMs);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refreshAndGoOn(), delayMs);
    this.#timer.unref();
  }

  async #refresh(): Promise<void> {
    const connection = await this.#own();
    const version = Math.min(metadataByIdVersion, connection.versions.maxOf('Metadata') ?? 0);
    const answer = await connection.request('Metadata', version, { topics: [], allowAutoTopicCreation: false });
    if (answer.errorCode !== 0) {
      throw new SluiceError(
        'upstream-unreachable',
        `The cluster answered Metadata with ${errorName(answer.errorCode)}.`,
        {
          retriable: true,
        },
      );
    }
    const present = new Set(answer.brokers.map((broker) => broker.nodeId));
    this.#learn(answer);
    // A broker that is gone from one answer may only be restarting: its address is kept, for nothing else has it.
    for (const nodeId of this.#brokers.keys()) if (!present.has(nodeId)) this.#versions.delete(nodeId);
  }

  #learn(answer: MetadataResponse): void {
    this.learnBrokers(answer.brokers);
    for (const { topicId, name } of answer.topics) if (name !== null) this.learnTopic(topicId, name);
  }
}

function busy(target: BrokerTarget): SluiceError<'upstream-busy'> {
  const which = target === 'bootstrap' ? 'the cluster' : `broker ${target}`;
  return new SluiceError(
    'upstream-busy',
    `Too many connections to ${which} are being opened: this one waited in vain.`,
    {
      retriable: true,
    },
  );
}
