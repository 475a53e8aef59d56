/** The gateway without an audit log: what auditing costs shows beside it. Entries are made, and thrown away. */
import type { OwnedAuditLog } from '../../src/audit/audit.ts';
import { loadConfiguration } from '../../src/cli/load.ts';
import { startGateway } from '../../src/main.ts';
import { superviseGateway } from '../../src/process/process.ts';
import { createLogger } from '../../src/telemetry/telemetry.ts';

const { settings } = await loadConfiguration(process.argv[2] ?? 'sluice.yaml');
const logger = createLogger({ level: settings.telemetry.logLevel, format: 'json' });
const status = { writable: true, backlogged: false, lost: 0, entries: 0 };
const audit: OwnedAuditLog = {
  append: () => '',
  durable: () => Promise.resolve(),
  status: () => status,
  close: () => Promise.resolve(),
  retain: () => Promise.reject(new Error('there is no log')),
  sinks: () => [],
};
process.exitCode = await superviseGateway(await startGateway(settings, { logger, audit }), logger);
