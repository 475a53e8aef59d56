/** Logs behind the `Logger` of `src/lib`: JSON lines to standard error, or lines for people. */
import { stripVTControlCharacters } from 'node:util';
import { pino } from 'pino';
import type { DestinationStream } from 'pino';
import type { LogFields, Logger } from '../lib/logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'text';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Default: standard error, written at once, so that nothing is lost when the process ends. */
  readonly destination?: { write(line: string): unknown };
}

export function createLogger(options: LoggerOptions): Logger {
  const out = options.destination ?? { write: (line: string) => process.stderr.write(line) };
  const destination: DestinationStream = {
    write: (line) => void out.write(options.format === 'json' ? line : readable(line)),
  };
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

/** `12:00:00.123 WARN  message  key=value`. What a field holds may come from a client: nothing in it moves the cursor. */
function readable(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as LogFields;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${quoted(String(value))}`);
  return `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${[clean(String(msg)), ...rest].join('  ')}\n`;
}

function quoted(value: string): string {
  const text = clean(value);
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}

function clean(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, ' ');
}
