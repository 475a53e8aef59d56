/** The clients of the matrix, and which of their cells this run takes. */
import { type Client, type Column, columns } from './client.ts';
import { confluentJavascript } from './confluent-javascript.ts';
import { confluentPython } from './confluent-python.ts';
import { java, javaOfBroker } from './java.ts';
import { kafkaPython, kafkaPython2 } from './kafka-python.ts';
import { kafkaStreams } from './kafka-streams.ts';
import { kafkajs } from './kafkajs.ts';
import { kcat } from './kcat.ts';
import { platformatic } from './platformatic.ts';

export const clients: readonly Client[] = [
  java,
  javaOfBroker,
  kafkaStreams,
  confluentJavascript,
  confluentPython,
  kcat,
  kafkajs,
  platformatic,
  kafkaPython,
  kafkaPython2,
];

/** Classic groups are in the cells of the credentials. */
export type RunColumn = Exclude<Column, 'classic'>;

/** A few minutes, without what has to be built: each library and each kind of cell once. */
const shortCells: Readonly<Record<string, readonly RunColumn[]>> = {
  java: ['OIDC', 'KIP-848', 'transactions'],
  'confluent-python': ['OIDC', 're-auth', 'share', 'transactions', 'admin'],
  kcat: ['mTLS'],
  kafkajs: ['callback'],
  platformatic: ['KIP-848'],
  'kafka-python': ['mTLS'],
  'kafka-python-2': ['PLAIN'],
};

export function chosenCells({ id, without }: Client): readonly RunColumn[] {
  const can = columns.filter((column) => column !== 'classic').filter((column) => without[column] === undefined);
  const only = process.env['SLUICE_CLIENTS']?.split(',');
  if (only !== undefined) return only.includes(id) ? can : [];
  if (process.env['SLUICE_LONG_BUDGET'] !== 'short') return can;
  return can.filter((column) => shortCells[id]?.includes(column));
}
