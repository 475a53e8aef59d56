/** The composition root: here and in `src/main/` every part is seen, and put together. */
import type { ConfigProblem } from './config/config.ts';
import type { Settings } from './model/settings.ts';
import type { Gateway, GatewayParts } from './main/contract.ts';
import { placeOf } from './main/policies.ts';
import { startSingle } from './main/single.ts';
import { startSupervised } from './main/supervised.ts';
import { keepCompiledCode } from './lib/compiled-code.ts';
import { PolicyLoadError, Started, superviseGateway } from './process/process.ts';
import { createLogger } from './telemetry/telemetry.ts';
import type { LogFormat, LogLevel } from './telemetry/telemetry.ts';

export { topicSender } from './main/own-audit-log.ts';
export { policyContext, settingsChecks } from './main/settings-checks.ts';
export type { Gateway, GatewayParts } from './main/contract.ts';
export { PolicyLoadError };
export type { LogFormat, LogLevel };

/**
 * Starts a gateway: the audit log, the policies, the identities, the gate, every port, the telemetry listener. What
 * was started is stopped again where a later part cannot start.
 *
 * @throws SluiceError of the part that could not start; `PolicyLoadError` with the problems of the policies
 */
export async function startGateway(settings: Settings, parts: GatewayParts): Promise<Gateway> {
  const started = new Started(parts.logger);
  try {
    return await ((settings.workers ?? 1) > 1
      ? startSupervised(settings, parts, started)
      : startSingle(settings, parts, started));
  } catch (error) {
    await started.undo();
    throw error;
  }
}

/** What `sluice serve` says beside the settings. */
export interface ServeOptions {
  readonly logFormat: LogFormat;
  /** Instead of the settings' own. */
  readonly logLevel?: LogLevel | undefined;
  /** Findings that did not keep the configuration from loading. */
  readonly warnings: readonly ConfigProblem[];
  readonly onStarted: (gateway: Gateway) => void;
}

/** Runs a gateway as this process: until a signal stops it. @returns the exit code @throws as `startGateway` */
export async function serveGateway(settings: Settings, options: ServeOptions): Promise<number> {
  const logger = createLogger({ level: options.logLevel ?? settings.telemetry.logLevel, format: options.logFormat });
  for (const warning of options.warnings) logger.warn({ place: placeOf(warning) }, warning.message);
  const gateway = await startGateway(settings, {
    logger,
    ...(options.logLevel !== undefined && { logLevel: options.logLevel }),
  });
  options.onStarted(gateway);
  keepCompiledCode();
  return superviseGateway(gateway, logger);
}
