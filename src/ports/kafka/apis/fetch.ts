/**
 * Fetch (key 1). Each partition: READ on its topic (by id from version 13 on), else 29 on it while the others go on; an
 * id that no topic has, 100. Followers (replica id ≥ 0) are brokers, and none comes through a gateway: 29 on everything.
 *
 * Fetch sessions (KIP-227) are the broker's, one to one: a session may be used only on the connection that was given its
 * id, else 70 and an entry in the log. The gateway knows all that a session holds and decides about all of it: what may
 * not be read is kept from the broker and answered with an error each time, what was taken away is taken out of the
 * broker's session, what may be read later is put in. No session is made where all is denied, where something is to be
 * recorded, and for clients that begin one each time.
 */
import { fetchSessionPartitionsMax } from '../../../lib/limits.ts';
import { type FetchRequest, type FetchResponse, errorCodes } from '../protocol/protocol.ts';
import { type DeliveredFetch, deliver, scanOf, stillHolds } from './fetch-delivery.ts';
import { type FetchPlan, planFull, planIncremental, sessionFor } from './fetch-plan.ts';
import { everyPartition } from './fetch-refusal.ts';
import {
  type FetchSession,
  type FetchSessions,
  type SessionAnswer,
  beginning,
  fetchSessions,
  finalEpoch,
  goingOn,
  initialEpoch,
  isFull,
  sessionVersion,
  topicIdVersion,
} from './fetch-session.ts';
import type { ApiHandler, Exchange, ForwardVerdict, Verdict } from './handler.ts';

export const fetch: ApiHandler<'Fetch'> = {
  name: 'Fetch',
  versions: { min: 4, max: 18 },
  handle,
  refuse: (request, code, version) =>
    version >= sessionVersion ? { errorCode: code, responses: [] } : { responses: everyPartition(request, code) },
};

/** Within the turn where every topic id is known, so that nothing has to wait on the hot path. */
function handle(exchange: Exchange<'Fetch'>): Verdict<'Fetch'> | Promise<Verdict<'Fetch'>> {
  const { request, version, access, cluster, connection } = exchange;
  const sessions = fetchSessions(connection);
  const refused = sessionError(exchange, sessions);
  if (refused !== 0) return { kind: 'answer', response: { errorCode: refused, responses: [] } };
  if (request.replicaId >= 0 || request.replicaState.replicaId >= 0) {
    access.refused('follower-fetch', 'a fetch as a replica: brokers do not come through the gateway');
    return { kind: 'answer', response: { responses: everyPartition(request, errorCodes.TOPIC_AUTHORIZATION_FAILED) } };
  }
  const topicIds = version < topicIdVersion ? [] : topicIdsOf(request, sessions);
  if (topicIds.every((topicId) => cluster.topicName(topicId) !== undefined)) return decide(exchange, sessions);
  return cluster.resolveTopics(topicIds).then(() => decide(exchange, sessions));
}

/** A request that goes on with a session has to name one of this connection's, where it stands. */
function sessionError({ request, version, access }: Exchange<'Fetch'>, sessions: FetchSessions): number {
  const { sessionId, sessionEpoch } = request;
  if (version < sessionVersion || isFull(sessionEpoch)) return 0;
  const error = sessions.errorOf(sessionId, sessionEpoch, version >= topicIdVersion);
  if (error === errorCodes.FETCH_SESSION_ID_NOT_FOUND && !sessions.gave(sessionId)) {
    access.refused('fetch-session-unknown', `fetch session ${sessionId} was not given to this connection`);
  }
  return error;
}

/** What is named, and what was named before and no topic had. */
function topicIdsOf({ topics, sessionId, sessionEpoch }: FetchRequest, sessions: FetchSessions): string[] {
  const session = isFull(sessionEpoch) ? undefined : sessions.find(sessionId);
  return [...topics.map(({ topicId }) => topicId), ...(session?.withheld.keys() ?? [])];
}

function decide(exchange: Exchange<'Fetch'>, sessions: FetchSessions): Verdict<'Fetch'> {
  const { request, version } = exchange;
  if (version < sessionVersion || isFull(request.sessionEpoch)) return decideFull(exchange, sessions);
  const session = sessions.find(request.sessionId);
  // It was there before the topics' names were asked for, and a client that keeps to the protocol waits for its answer.
  if (session === undefined) {
    return { kind: 'answer', response: { errorCode: errorCodes.FETCH_SESSION_ID_NOT_FOUND, responses: [] } };
  }
  return decideIncremental(exchange, sessions, session);
}

/** Begins a session, or is in none: all that is wanted is named. */
function decideFull(exchange: Exchange<'Fetch'>, sessions: FetchSessions): Verdict<'Fetch'> {
  const { request, version, access } = exchange;
  const session = sessionFor(version);
  const plan = planFull(exchange, session);
  const sessionId = closableId(exchange, sessions);
  const begins =
    version >= sessionVersion &&
    request.sessionEpoch === initialEpoch &&
    sessions.worthwhile &&
    access.recorder === null &&
    (session.granted.size > 0 || plan.refusals.length === 0) &&
    session.size <= fetchSessionPartitionsMax;
  const sessionEpoch = begins ? initialEpoch : finalEpoch;
  sessions.drop(sessionId);
  // A fetch of nothing may wait its full time at the broker: what is all denied is answered at once, as a broker does.
  if (plan.topics.length === 0 && plan.refusals.length > 0 && sessionId === 0) {
    return { kind: 'answer', response: { responses: [...plan.refusals] } };
  }
  const asItCame =
    !plan.changed &&
    (version < sessionVersion || (request.sessionId === sessionId && request.sessionEpoch === sessionEpoch));
  return forwarded(exchange, plan, {
    ...(!asItCame && {
      request: { ...request, topics: plan.topics, sessionId, sessionEpoch, forgottenTopicsData: [] },
    }),
    settle: begins ? beginning(sessions, session) : null,
  });
}

/** Goes on with a session, which may change by it. */
function decideIncremental(
  exchange: Exchange<'Fetch'>,
  sessions: FetchSessions,
  session: FetchSession,
): Verdict<'Fetch'> {
  const { request, access } = exchange;
  const plan = planIncremental(exchange, session);
  if (plan === null || access.recorder !== null || session.size > fetchSessionPartitionsMax) {
    return beginAnew(exchange, sessions, session);
  }
  sessions.used(session);
  return forwarded(exchange, plan, {
    ...(plan.changed && { request: { ...request, topics: plan.topics, forgottenTopicsData: plan.forgotten } }),
    settle: goingOn(sessions, session),
  });
}

interface Forwarding extends Pick<ForwardVerdict<'Fetch'>, 'request'> {
  /** `null` where no session is begun or gone on with. */
  readonly settle: SessionAnswer | null;
}

function forwarded(exchange: Exchange<'Fetch'>, { refusals }: FetchPlan, forwarding: Forwarding): Verdict<'Fetch'> {
  const { access } = exchange;
  const decidedIn = access.session;
  const { revision } = decidedIn;
  const delivered: DeliveredFetch = { ...exchange, refusals, decidedIn, revision, settle: forwarding.settle };
  const { request } = forwarding;
  return {
    kind: 'forward',
    ...(request !== undefined && { request }),
    onResponse: (response) => deliver(delivered, response),
    // What is denied has to be added to the answer, a policy that changed meanwhile to be held against it, and what is
    // recorded to be kept: whole.
    ...(refusals.length === 0 &&
      access.recorder === null && {
        streams: (payloadBytes) => (stillHolds(delivered) ? scanOf(delivered, payloadBytes) : null),
      }),
  };
}

/**
 * The id that a full request may close at the broker. A client that lost its connection names the session it had there;
 * closing another's is what a guess would be for, so an id that was not given here is left out, and entered in the log.
 */
function closableId({ request, version, access }: Exchange<'Fetch'>, sessions: FetchSessions): number {
  const { sessionId } = request;
  if (version < sessionVersion || sessionId === 0 || sessions.gave(sessionId)) return sessionId;
  access.refused('fetch-session-unknown', `fetch session ${sessionId} was not given to this connection: not closed`);
  return 0;
}

/** Ends the session at the broker and tells the client to name again all that it wants. */
function beginAnew({ request }: Exchange<'Fetch'>, sessions: FetchSessions, session: FetchSession): Verdict<'Fetch'> {
  sessions.drop(session.id);
  return {
    kind: 'forward',
    request: { ...request, sessionEpoch: finalEpoch, topics: [], forgottenTopicsData: [] },
    onResponse: (response: FetchResponse) => {
      response.errorCode = errorCodes.FETCH_SESSION_ID_NOT_FOUND;
      response.sessionId = 0;
      response.responses = [];
      response.nodeEndpoints = [];
      return true;
    },
  };
}
