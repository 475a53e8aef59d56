/** `sluice serve`: runs the gateway until it is told to stop. */
import { SluiceError } from '../lib/errors.ts';
import { PolicyLoadError, serveGateway } from '../main.ts';
import type { Gateway, LogFormat, LogLevel } from '../main.ts';
import type { Settings } from '../model/settings.ts';
import { exitCodes } from './exit-codes.ts';
import { loadConfiguration, shownProblem } from './load.ts';
import { CommandError } from './output.ts';
import type { Output } from './output.ts';

export interface ServeOptions {
  readonly config: string;
  readonly logFormat: LogFormat;
  readonly logLevel?: LogLevel | undefined;
}

/** @throws CommandError where the gateway cannot start */
export async function runServe(options: ServeOptions, output: Output): Promise<number> {
  const { settings, warnings } = await loadConfiguration(options.config);
  const { logFormat, logLevel } = options;
  const onStarted = (gateway: Gateway): void => announce(gateway, settings, output);
  try {
    return await serveGateway(settings, { logFormat, logLevel, warnings, onStarted });
  } catch (error) {
    if (error instanceof PolicyLoadError) {
      const problems = error.problems.map((problem) => shownProblem(settings.policyDirectory, problem));
      throw new CommandError(exitCodes.problems, 'The gateway does not start: its policies have problems.', problems);
    }
    if (error instanceof SluiceError) throw new CommandError(exitCodes.problems, error.message);
    throw error;
  }
}

/** One document or a few lines on standard output once clients can connect; the log goes to standard error. */
function announce(gateway: Gateway, settings: Settings, output: Output): void {
  const ports = settings.ports.map(({ name, protocol }) => ({ name, protocol, ...gateway.address(name) }));
  const telemetry = gateway.telemetryAddress();
  output.json({ gatewayId: settings.gatewayId, policyRevision: gateway.policyRevision, ports, telemetry });
  for (const port of ports) output.line(`port ${port.name} (${port.protocol}) listens on ${port.host}:${port.port}`);
  if (telemetry !== null)
    output.line(`metrics and health on http://${telemetry.host}:${telemetry.port}/metrics, /healthz, /readyz`);
  output.line(`policy revision ${gateway.policyRevision.slice(0, 12)}`);
}
