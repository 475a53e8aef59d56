import { errorCodes } from './errors.gen.ts';

const names = new Map<number, string>(Object.entries(errorCodes).map(([name, code]: [string, number]) => [code, name]));

/** Kafka's name of an error code; a code it does not list is named by its number. */
export function errorName(code: number): string {
  return names.get(code) ?? `UNKNOWN_ERROR_${code}`;
}
