/** What `sluice replay` is asked, and what of it makes sense. */
import { readFile } from 'node:fs/promises';
import { parseDurationMs } from '../config/config.ts';
import { messageOf } from '../lib/errors.ts';
import { ClusterClient, brokerResolver } from '../ports/kafka/replay/replay.ts';
import type { Direction, ItemFilter, LinkOptions, ReplayedRecord, Resolver } from '../ports/kafka/replay/replay.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';
import type { PlaceOptions } from './recording-places.ts';

export interface ReplayOptions extends PlaceOptions {
  readonly topic?: string;
  readonly partition?: string;
  readonly direction?: Direction;
  readonly keyIs?: string;
  readonly contains?: string;
  readonly since?: string;
  readonly until?: string;
  readonly fromOffset?: string;
  readonly toOffset?: string;
  readonly limit?: string;
  readonly requests: boolean;
  /** Absent: 1 on a terminal, else max. */
  readonly speed?: string;
  readonly maxPause: string;
  readonly as: 'text' | 'json';
  readonly values: 'auto' | 'json' | 'text' | 'hex';
  readonly bootstrap?: string;
  readonly tokenFile?: string;
  readonly tls: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly certKey?: string;
  readonly into?: string;
  readonly toPartition?: string;
  readonly dryRun: boolean;
  readonly rate?: string;
  readonly cursor?: string;
}

/** @param startMs when the session's first recording began */
export function itemFilter(options: ReplayOptions, startMs: number): ItemFilter {
  const { topic, direction } = options;
  const partition = wholeNumber('--partition', options.partition, 2_147_483_647);
  const sinceMs = timeOf('--since', options.since, startMs);
  const untilMs = timeOf('--until', options.until, startMs);
  return {
    ...(topic !== undefined && { topic }),
    ...(direction !== undefined && { direction }),
    ...(partition !== null && { partition }),
    ...(sinceMs !== null && { sinceMs }),
    ...(untilMs !== null && { untilMs }),
  };
}

/** Which records of what the item filter lets through. */
export function recordFilter(options: ReplayOptions): (record: ReplayedRecord) => boolean {
  const key = options.keyIs === undefined ? null : Buffer.from(options.keyIs);
  const contains = options.contains === undefined ? null : Buffer.from(options.contains);
  const from = offsetOf('--from-offset', options.fromOffset);
  const to = offsetOf('--to-offset', options.toOffset);
  return (record) =>
    (key === null || record.key?.equals(key) === true) &&
    (contains === null || record.value?.includes(contains) === true) &&
    (from === null || (record.offset !== null && record.offset >= from)) &&
    (to === null || (record.offset !== null && record.offset <= to));
}

/** `null`: at once. */
export function speedOf({ speed = process.stdout.isTTY ? '1' : 'max' }: ReplayOptions): number | null {
  if (speed === 'max') return null;
  const factor = Number(speed);
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(speed) || factor <= 0)
    throw usage('--speed takes a factor such as 1, 0.5 or 10, or max.');
  return factor;
}

export function maxPauseMs({ maxPause }: ReplayOptions): number {
  const ms = parseDurationMs(maxPause);
  if (ms === null) throw usage('--max-pause takes a length of time with its unit, such as 5s.');
  return ms;
}

/** @returns the caller's way to the cluster; `null` where --bootstrap is not given */
export async function clusterOf(options: ReplayOptions): Promise<ClusterClient | null> {
  if (options.bootstrap === undefined) return null;
  const bootstrap = options.bootstrap.split(',').map((address) => {
    const [, host, port] = /^\[?([^\s\]]+?)\]?:(\d{1,5})$/.exec(address.trim()) ?? [];
    if (host === undefined) throw usage('--bootstrap takes host:port, or several with commas.');
    return { host, port: Number(port) };
  });
  return new ClusterClient(bootstrap, await linkOptions(options));
}

export function resolverOf(cluster: ClusterClient | null): Resolver | undefined {
  return cluster === null ? undefined : brokerResolver(cluster);
}

async function linkOptions({ tls, ca, cert, certKey, tokenFile }: ReplayOptions): Promise<LinkOptions> {
  const read = async (path: string): Promise<string> =>
    await readFile(path, 'utf8').catch((error: unknown) => {
      throw new CommandError(exitCodes.problems, `${path} cannot be read: ${messageOf(error)}`);
    });
  const files = {
    ...(ca !== undefined && { ca: await read(ca) }),
    ...(cert !== undefined && { cert: await read(cert) }),
    ...(certKey !== undefined && { key: await read(certKey) }),
  };
  const secure = tls || Object.keys(files).length > 0;
  const variable = process.env['SLUICE_TOKEN'] ?? '';
  // A file is read for each connection: what keeps it fresh is somebody else's task.
  const fromFile = tokenFile === undefined ? null : async () => (await read(tokenFile)).trim();
  const fromVariable = variable === '' ? null : async () => await Promise.resolve(variable.trim());
  return { tls: secure ? files : null, token: fromFile ?? fromVariable, clientId: 'sluice-replay' };
}

export function wholeNumber(name: string, text: string | undefined, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) throw usage(`${name} takes a whole number up to ${max}.`);
  return value;
}

function offsetOf(name: string, text: string | undefined): bigint | null {
  if (text === undefined) return null;
  if (!/^\d{1,19}$/.test(text)) throw usage(`${name} takes a whole number.`);
  return BigInt(text);
}

function timeOf(name: string, text: string | undefined, startMs: number): number | null {
  if (text === undefined) return null;
  const afterMs = text.startsWith('+') ? parseDurationMs(text.slice(1)) : null;
  const ms = afterMs === null ? Date.parse(text) : startMs + afterMs;
  const known = afterMs !== null || /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  if (!known || Number.isNaN(ms))
    throw usage(`${name} takes 2026-03-12T08:00:00Z, or +5m after the start of the session.`);
  return ms;
}

export function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
