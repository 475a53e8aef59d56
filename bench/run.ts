/** `npm run bench -- SCENARIO`: figures on standard output, progress on standard error. Exit code 1 where a gate is missed, 2 on misuse. */
import { messageOf, SluiceError } from '../src/lib/errors.ts';
import { judge } from './gates.ts';
import { machineFacts, moveToLoadCore } from './machine.ts';
import { type BenchOptions, readOptions, say } from './options.ts';
import { noiseOf, rowsTable, type ScenarioResult, verdictsTable } from './report.ts';
import { saveResult } from './save.ts';
import { audit } from './scenarios/audit.ts';
import { clients } from './scenarios/clients.ts';
import { connections } from './scenarios/connections.ts';
import { fetchSessions } from './scenarios/fetch-sessions.ts';
import { latency } from './scenarios/latency.ts';
import { passthrough } from './scenarios/passthrough.ts';
import { policy } from './scenarios/policy.ts';
import { soak } from './scenarios/soak.ts';
import { tls } from './scenarios/tls.ts';
import { workers } from './scenarios/workers.ts';
import type { Scenario } from './scenarios/scenario.ts';

const scenarios: readonly Scenario[] = [
  passthrough,
  latency,
  connections,
  policy,
  audit,
  fetchSessions,
  tls,
  clients,
  workers,
  soak,
];
/** CPU that others used, in cores, beyond which figures are not worth keeping. */
const noiseMax = 0.15;

try {
  const { scenario: name, options } = readOptions(
    process.argv.slice(2),
    scenarios.map((one) => one.name),
  );
  const scenario = scenarios.find((one) => one.name === name) as Scenario;
  if (options.profile && scenario.notProfiled !== undefined)
    throw new SluiceError('usage', `${name} has no --profile: ${scenario.notProfiled}`);
  moveToLoadCore();
  say(`${scenario.name}: ${scenario.about}`);
  process.exitCode = conclude(scenario, await scenario.run(options), options);
} catch (error) {
  const misuse = error instanceof SluiceError && error.code === 'usage';
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = misuse ? 2 : 1;
}

function conclude(scenario: Scenario, result: ScenarioResult, options: BenchOptions): number {
  // A profiled gateway is slower, and has nobody beside it.
  const verdicts = options.profile ? [] : judge(scenario.name, result.figures);
  const noise = noiseOf(result.samples);
  const notes = [...result.notes];
  if (noise > noiseMax) notes.push(`Other processes used ${noise.toFixed(2)} cores (median): not figures to quote.`);
  const document = {
    scenario: scenario.name,
    date: new Date().toISOString(),
    machine: machineFacts(),
    options,
    othersCores: noise,
    ...result,
    notes,
    verdicts,
  };
  if (options.json) {
    process.stdout.write(`${JSON.stringify(document, null, 1)}\n`);
  } else {
    const parts = [
      result.rows.length > 0 ? rowsTable(result.rows, result.anchor) : undefined,
      result.text,
      verdicts.length > 0 ? verdictsTable(verdicts) : undefined,
      ...notes.map((note) => `! ${note}`),
    ];
    process.stdout.write(`${parts.filter((part) => part !== undefined && part !== '').join('\n\n')}\n`);
  }
  if (options.save) say(noise > noiseMax ? 'not saved: the machine was busy' : `saved ${saveResult(document)}`);
  const missed = verdicts.filter(({ met }) => !met);
  if (!options.gate) return 0;
  for (const { figure, value, gate } of missed)
    say(`gate missed: ${figure} is ${value.toFixed(2)}, the gate is ${gate}`);
  if (verdicts.length === 0) say('gate missed: no figure was there to be judged');
  return missed.length > 0 || verdicts.length === 0 ? 1 : 0;
}
