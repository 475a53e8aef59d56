/** Puts the tree, its key and its checkpoints together when the log is opened. */
import type { Clock } from '../../lib/clock.ts';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { CheckpointSettings } from '../../model/settings.ts';
import { auditEvent } from '../draft.ts';
import type { EntryDraft } from '../draft.ts';
import { parseCheckpoint, signedBy } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { Checkpointer } from './checkpointer.ts';
import { makeKeyFile, readKeyFile } from './key-file.ts';
import type { KeyFile } from './key-file.ts';
import type { SignerKey, VerifierKey } from './keys.ts';
import { CheckpointPush } from './push.ts';
import type { TopicSender } from './push.ts';
import { CheckpointStore } from './store.ts';
import type { SinkStatus } from '../sinks/courier.ts';
import { startTree } from './tree-start.ts';
import { Witnesses } from './witnesses.ts';

export interface OpenedTree {
  readonly checkpointer: Checkpointer;
  readonly store: CheckpointStore;
  readonly sinks: () => SinkStatus[];
  /** The key in force, and all that the log was signed with. */
  readonly key: SignerKey;
  readonly keys: readonly VerifierKey[];
  /** What the log has to say about itself first. */
  readonly drafts: readonly EntryDraft[];
}

export interface TreeContext {
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes entries about places that checkpoints do not reach. */
  readonly report: (draft: EntryDraft) => void;
  readonly sendToTopic?: TopicSender;
}

/** @throws SluiceError `audit-key-unusable`, `audit-tree-broken` */
export async function openTree(
  directory: string,
  settings: CheckpointSettings,
  context: TreeContext,
): Promise<OpenedTree> {
  const { logger, clock } = context;
  const store = await CheckpointStore.open(directory);
  const found = await store.newest();
  const newest = found === null ? null : parseNewest(found);
  const { keys, exposed } = await keysFor(settings, newest, context.gatewayId);
  if (exposed) logger.warn({ file: settings.keyFile }, 'the audit key can be read by other users: chmod 600');
  const { key, retiring } = inForce(keys, newest, settings);
  const verifiers = keys.map(({ verifier }) => verifier);
  const start = await startTree(directory, await store.readState(), newest, verifiers);
  await store.writePublicKey(key.verifier.text);
  const push = settings.push === undefined ? null : new CheckpointPush(settings.push, context, context.sendToTopic);
  const witnesses =
    settings.witnesses === undefined
      ? null
      : new Witnesses(directory, settings.witnesses.ask, start.range, store, context);
  const { everyMs, entries } = settings;
  const checkpointer = new Checkpointer(start, {
    store,
    push,
    witnesses,
    key,
    retiring,
    everyMs,
    entries,
    clock,
    logger,
  });
  logger.info(
    { key: key.verifier.text, entries: start.range.size },
    'the audit log is signed; pin this key to verify it',
  );
  const changed =
    retiring === null
      ? []
      : [auditEvent('log.key-changed', { old_key: retiring.verifier.text, new_key: key.verifier.text })];
  const opened = auditEvent('log.opened', {
    key: key.verifier.text,
    tree_size: start.range.size,
    checkpoint_every_ms: everyMs,
    checkpoint_entries: entries,
  });
  const sinks = (): SinkStatus[] => [...(push?.status() ?? []), ...(witnesses?.status() ?? [])];
  return { checkpointer, store, sinks, key, keys: verifiers, drafts: [opened, ...start.missing, ...changed] };
}

async function keysFor(settings: CheckpointSettings, newest: Checkpoint | null, gatewayId: string): Promise<KeyFile> {
  const found = await readKeyFile(settings.keyFile);
  const { origin = `sluice/${gatewayId.replace(/[\s+]/g, '-')}` } = settings;
  if (found !== null) {
    const { name } = found.keys[0].verifier;
    if (settings.origin === undefined || settings.origin === name) return found;
    throw unusable(
      settings,
      `it is the key of the log "${name}", and audit.checkpoint.origin says "${settings.origin}"`,
    );
  }
  if (newest === null) return makeKeyFile(settings.keyFile, origin);
  throw unusable(
    settings,
    'it is gone, and the log is signed with it. Put it back from its copy; without one, move the log away and keep it: the gateway then begins a new log with a new key',
  );
}

/** The last key of the file, and the one that signed so far where that is another. */
function inForce(
  keys: KeyFile['keys'],
  newest: Checkpoint | null,
  settings: CheckpointSettings,
): { readonly key: SignerKey; readonly retiring: SignerKey | null } {
  const key = keys.at(-1) ?? keys[0];
  if (newest === null) return { key, retiring: null };
  const { by, wrong } = signedBy(
    newest,
    keys.map((each) => each.verifier),
  );
  const latest = keys.findLast((each) => by.includes(each.verifier));
  if (wrong || latest === undefined || newest.origin !== latest.verifier.name) {
    throw unusable(settings, `none of its keys signed the log's newest checkpoint, of ${newest.size} entries`);
  }
  return { key, retiring: latest === key ? null : latest };
}

function parseNewest({ path, bytes }: { readonly path: string; readonly bytes: Buffer }): Checkpoint {
  try {
    return parseCheckpoint(bytes);
  } catch (cause) {
    throw new SluiceError(
      'audit-tree-broken',
      `${path} cannot be read as what the log signed last: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

function unusable(settings: CheckpointSettings, detail: string): SluiceError<'audit-key-unusable'> {
  return new SluiceError('audit-key-unusable', `The audit key ${settings.keyFile} cannot be used: ${detail}.`);
}
