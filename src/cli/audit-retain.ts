/** `sluice audit retain`: what retention would remove, or its removal where no gateway runs. */
import { openAuditLog, previewRetention } from '../audit/audit.ts';
import type { RetentionPlan } from '../audit/audit.ts';
import { systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { silentLogger } from '../lib/logger.ts';
import type { RetentionSettings, Settings } from '../model/settings.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { loadConfiguration } from './load.ts';
import { CommandError, plural } from './output.ts';
import type { Output } from './output.ts';

export interface AuditRetainOptions {
  readonly config: string;
  readonly dryRun: boolean;
}

/** @throws CommandError where nothing may go, the log cannot be read, or a gateway writes it */
export async function runAuditRetain(options: AuditRetainOptions, output: Output): Promise<ExitCode> {
  const { settings } = await loadConfiguration(options.config);
  const { retention, directory } = settings.audit;
  if (retention === undefined)
    throw new CommandError(exitCodes.problems, 'Everything is kept: the configuration has no audit.retention.');
  try {
    const plan = options.dryRun
      ? await previewRetention(directory, retention, Date.now())
      : await retain(settings, retention);
    print(plan, options.dryRun, output);
    return exitCodes.ok;
  } catch (error) {
    throw new CommandError(exitCodes.problems, messageOf(error));
  }
}

async function retain({ audit, gatewayId }: Settings, retention: RetentionSettings): Promise<RetentionPlan> {
  const log = await openAuditLog({ ...audit, retention, gatewayId, clock: systemClock, logger: silentLogger });
  try {
    const { removed: remove, held, kept } = await log.retain();
    return { remove, held, kept };
  } finally {
    await log.close();
  }
}

function print({ remove, held, kept }: RetentionPlan, dryRun: boolean, output: Output): void {
  output.json({ dryRun, remove, held, kept });
  for (const { name, bytes, lastTime, because } of remove)
    output.line(
      `${dryRun ? 'would remove' : 'removed'}  ${name}  ${bytes} bytes, last entry ${lastTime}  (${because})`,
    );
  for (const { name, lastTime, hold } of held) output.line(`on hold  ${name}  last entry ${lastTime}  (${hold})`);
  output.line(
    `${plural(remove.length, 'segment')} ${dryRun ? 'to remove' : 'removed'}, ${held.length} on hold, ${kept.segments} kept (${kept.bytes} bytes)`,
  );
}
