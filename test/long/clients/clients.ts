/** The clients of the matrix, and which of their cells this run takes. */
import { type Client, type Column, columns } from './client.ts';
import { confluentPython } from './confluent-python.ts';
import { java, javaOfBroker } from './java.ts';
import { kafkaPython, kafkaPython2 } from './kafka-python.ts';
import { kafkaStreams } from './kafka-streams.ts';
import { kafkajs } from './kafkajs.ts';

export const clients: readonly Client[] = [
  java,
  javaOfBroker,
  kafkaStreams,
  confluentPython,
  kafkajs,
  kafkaPython,
  kafkaPython2,
];

/** Classic groups are in the cells of the credentials. */
export type RunColumn = Exclude<Column, 'classic'>;

/** A few minutes, without what has to be built: each library and each kind of cell once. */
const shortCells: Readonly<Record<string, readonly RunColumn[]>> = {
  java: ['OIDC', 'KIP-848', 'transactions'],
  'confluent-python': ['OIDC', 're-auth', 'share', 'admin'],
  kafkajs: ['callback', 'transactions'],
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
