/** What the demo shows: each act is a stock client asking for something, what should happen, and the entry that proves it. */
import { readFileSync } from 'node:fs';
import { Consumer, stringDeserializers } from '@platformatic/kafka';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import type { Entry } from '../src/model/entry.ts';
import type { Stage } from './stage.ts';

export interface Act {
  readonly client: string;
  readonly who: string;
  readonly asks: string;
  readonly expected: string;
  readonly happened: string;
  readonly asExpected: boolean;
  readonly proof: Entry | null;
}

const records = 25;
const waitMs = 20_000;

/** All acts in order; each is told as it begins. */
export async function playActs(stage: Stage, say: (line: string) => void): Promise<Act[]> {
  const acts: Act[] = [];
  const play = async (line: string, act: (stage: Stage) => Promise<Act>): Promise<void> => {
    say(line);
    acts.push(await act(stage));
  };
  await play('checkout-service produces payments', permittedProducer);
  await play('fraud-detector consumes payments in a group', permittedConsumer);
  await play('fraud-detector tries to read payroll', deniedTopic);
  await play('a token made for somebody else knocks', wrongToken);
  await play('fraud-detector tries to read refunds, before and after a policy edit on one connection', policyEdit);
  return acts;
}

function kafkajs(stage: Stage, clientId: string, token: () => Promise<string>): Kafka {
  return new Kafka({
    clientId,
    brokers: [stage.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 200 },
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) },
  });
}

async function permittedProducer(stage: Stage): Promise<Act> {
  const from = stage.mark();
  const producer = kafkajs(stage, 'checkout', () => stage.idp.token('checkout-service')).producer();
  let happened: string;
  try {
    await producer.connect();
    const messages = Array.from({ length: records }, (_, index) => ({
      key: `order-${index}`,
      value: JSON.stringify({ order: index, cents: 100 * index }),
    }));
    await producer.send({ topic: 'payments', messages });
    happened = `${records} records acknowledged`;
  } catch (error) {
    happened = told(error);
  } finally {
    await producer.disconnect();
  }
  const proof = await stage.proof(from, (entry) => about(entry, 'flow.window', 'checkout-service', 'payments'));
  return {
    client: 'kafkajs',
    who: 'checkout-service',
    asks: 'write payments',
    expected: 'permitted',
    happened,
    asExpected: happened === `${records} records acknowledged` && proof !== null,
    proof,
  };
}

async function permittedConsumer(stage: Stage): Promise<Act> {
  const from = stage.mark();
  const consumer = new Consumer({
    clientId: 'fraud',
    groupId: 'analytics-fraud',
    bootstrapBrokers: [stage.bootstrap],
    sasl: { mechanism: 'OAUTHBEARER', token: await stage.idp.token('fraud-detector') },
    deserializers: stringDeserializers,
    retries: 1,
  });
  let read = 0;
  let happened: string;
  try {
    const stream = await consumer.consume({
      topics: ['payments'],
      mode: 'earliest',
      autocommit: true,
      sessionTimeout: 10_000,
      maxWaitTime: 500,
    });
    const timer = setTimeout(() => void stream.close(), waitMs);
    for await (const _ of stream) {
      read += 1;
      if (read === records) break;
    }
    clearTimeout(timer);
    happened = `${read} records read`;
  } catch (error) {
    happened = told(error);
  } finally {
    await consumer.close(true).catch(() => {});
  }
  const proof = await stage.proof(from, (entry) => about(entry, 'flow.window', 'fraud-detector', 'payments'));
  return {
    client: '@platformatic/kafka',
    who: 'fraud-detector',
    asks: 'read payments, group analytics-fraud',
    expected: 'permitted',
    happened,
    asExpected: read === records && proof !== null,
    proof,
  };
}

async function deniedTopic(stage: Stage): Promise<Act> {
  const from = stage.mark();
  const client = kafkajs(stage, 'fraud', () => stage.idp.token('fraud-detector'));
  const happened = await refusalOf(client.admin(), (admin) => admin.fetchTopicOffsets('payroll'));
  const proof = await stage.proof(from, (entry) => about(entry, 'operation.denied', 'fraud-detector', 'payroll'));
  return {
    client: 'kafkajs',
    who: 'fraud-detector',
    asks: 'read payroll',
    expected: 'denied by a rule',
    happened,
    asExpected: /not authorized|authorization failed/i.test(happened) && proof !== null,
    proof,
  };
}

async function wrongToken(stage: Stage): Promise<Act> {
  const from = stage.mark();
  const client = kafkajs(stage, 'fraud', () => stage.idp.token('fraud-detector', { audience: 'some-other-service' }));
  const happened = await refusalOf(client.admin(), (admin) => admin.listTopics());
  const proof = await stage.proof(from, (entry) => codeOf(entry) === 'authentication.failed');
  return {
    client: 'kafkajs',
    who: 'fraud-detector, token for another service',
    asks: 'connect',
    expected: 'refused: wrong audience',
    happened,
    asExpected: /audience/i.test(happened) && proof !== null,
    proof,
  };
}

async function policyEdit(stage: Stage): Promise<Act> {
  const admin = kafkajs(stage, 'fraud', () => stage.idp.token('fraud-detector')).admin();
  let before = 'permitted';
  let after: string;
  const from = stage.mark();
  try {
    await admin.connect();
    before = await outcomeOf(admin.fetchTopicOffsets('refunds'));
    const edited = stage.mark();
    stage.writePolicy('refunds.yaml', readFileSync(new URL('./live-edit/refunds.yaml', import.meta.url), 'utf8'));
    await stage.proof(edited, (entry) => codeOf(entry) === 'policy.loaded');
    after = await outcomeOf(admin.fetchTopicOffsets('refunds'));
  } catch (error) {
    after = told(error);
  } finally {
    await admin.disconnect();
  }
  const proof = await stage.proof(from, (entry) => codeOf(entry) === 'policy.loaded');
  return {
    client: 'kafkajs',
    who: 'fraud-detector',
    asks: 'read refunds, before and after a policy edit',
    expected: 'denied, then permitted',
    happened: `${before}, then ${after}`,
    asExpected: /not authorized|authorization failed/i.test(before) && after === 'permitted' && proof !== null,
    proof,
  };
}

async function refusalOf(admin: Admin, ask: (admin: Admin) => Promise<unknown>): Promise<string> {
  try {
    await admin.connect();
    return await outcomeOf(ask(admin));
  } catch (error) {
    return told(error);
  } finally {
    await admin.disconnect();
  }
}

async function outcomeOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
    return 'permitted';
  } catch (error) {
    return told(error);
  }
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `flow.window` of `dev.sluice.audit.flow.window`. */
function codeOf(entry: Entry): string {
  return entry.type.replace(/^dev\.sluice\.audit\./, '');
}

function about(entry: Entry, code: string, principal: string, topic: string): boolean {
  if (codeOf(entry) !== code) return false;
  const { principal: who } = entry.data as { principal?: { id?: string } };
  return who?.id === principal && (entry.subject ?? '').startsWith(`topic/${topic}`);
}
