/** What every scenario with the native load stands on: frames, a fake broker, an identity provider and a token. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Idp, startIdp } from '../harness/idp.ts';
import { releasePorts, reservePorts } from '../harness/ports.ts';
import { removeAtExit } from '../harness/processes.ts';
import { type FrameFiles, writeFrames, writeOpening } from './load/frames.ts';
import { type NativePrograms, nativePrograms } from './load/native.ts';
import { say } from './options.ts';
import { type Peer, PeerMissing, type Upstream } from './peers/peer.ts';
import { startServer } from './peers/server.ts';

export interface Stage {
  readonly folder: string;
  readonly programs: NativePrograms;
  readonly frames: FrameFiles;
  readonly idp: Idp;
  readonly openingFile: string;
  readonly broker: Upstream & { readonly pid: number };
  /** Peers that could not take part, and why. */
  readonly missing: string[];
  /** Starts a peer and stops it with the stage; `null` where it cannot be had here. */
  add<P extends Peer>(start: Promise<P>): Promise<P | null>;
  stop(): Promise<void>;
}

const tokenTtlSeconds = 86_400;

export interface StageOptions {
  /** Writes frames of a scenario's own into the folder; gives their rules for the fake broker. */
  readonly moreRules?: (folder: string) => readonly string[];
  /** Holds configurations, logs and audit logs of all who take part; the system's for temporary files by default. */
  readonly parentFolder?: string;
}

/** Files that are never on a disk, where the system has such; otherwise its folder for temporary files. */
export function memoryFolder(): string {
  const shared = '/dev/shm';
  try {
    accessSync(shared, constants.W_OK);
    return shared;
  } catch {
    return tmpdir();
  }
}

export async function setStage(topics: number, options: StageOptions = {}): Promise<Stage> {
  const { moreRules = () => [], parentFolder = tmpdir() } = options;
  const folder = mkdtempSync(join(parentFolder, 'sluice-bench-'));
  removeAtExit(folder);
  const undo: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const programs = await nativePrograms();
    const idp = await startIdp({ clients: [{ id: 'bench', secret: 'bench-secret', ttlSeconds: tokenTtlSeconds }] });
    undo.push(() => idp.stop());
    const openingFile = writeOpening(folder, await idp.token('bench'));
    const [port = 0] = await reservePorts(1);
    undo.push(() => releasePorts([port]));
    const frames = writeFrames(folder, { brokerPort: port, topics }, moreRules(folder));
    const args = [String(port), frames.rulesFile];
    const server = await startServer({
      name: 'fake broker',
      command: programs.broker,
      args,
      port,
      logFile: join(folder, 'broker.log'),
    });
    undo.push(() => server.stop());
    const missing: string[] = [];
    const add = async <P extends Peer>(start: Promise<P>): Promise<P | null> => {
      try {
        const peer = await start;
        undo.push(() => peer.stop());
        return peer;
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error;
        missing.push(error.message);
        say(error.message);
        return null;
      }
    };
    return { folder, programs, frames, idp, openingFile, broker: { port, pid: server.pid }, missing, add, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
