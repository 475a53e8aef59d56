/** The gateway as most scenarios run it: a policy of ten rules, and the inspector open where a profile is asked for. */
import { resolve } from 'node:path';
import type { BenchOptions } from '../options.ts';
import { policyOf } from '../peers/policies.ts';
import { type SluicePeer, startSluice } from '../peers/sluice.ts';
import { startProfile } from '../profile.ts';
import type { Stage } from '../stage.ts';

const rules = 10;

export async function usualGateway(stage: Stage, options: BenchOptions): Promise<SluicePeer> {
  const { folder, broker, idp, openingFile } = stage;
  const policy = policyOf(rules, 1);
  const gateway = await startSluice(folder, broker, {
    name: 'sluice',
    idp,
    openingFile,
    policy,
    inspect: options.profile,
  });
  await stage.add(Promise.resolve(gateway));
  return gateway;
}

/** The gateway of another checkout in the same part, so that a change is measured against what was before it. */
export async function gatewayBeside(stage: Stage, options: BenchOptions): Promise<SluicePeer | null> {
  if (options.beside === '') return null;
  const { folder, broker, idp, openingFile } = stage;
  const checkout = resolve(options.beside);
  return stage.add(
    startSluice(folder, broker, { name: 'sluice-beside', idp, openingFile, policy: policyOf(rules, 1), checkout }),
  );
}

/** Runs the work under the profiler where one was asked for. The gateway must have been started to be inspected. */
export async function profiled<Result>(
  gateway: Pick<SluicePeer, 'inspectorPort'>,
  options: BenchOptions,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly text?: string }> {
  if (!options.profile) return { result: await work() };
  const profiler = await startProfile(gateway.inspectorPort);
  const result = await work();
  return { result, text: await profiler.finish() };
}
