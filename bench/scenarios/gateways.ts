/** The gateway as most scenarios run it: a policy of ten rules, and the inspector open where a profile is asked for. */
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

/** Runs the work under the profiler where one was asked for. */
export async function profiled<Result>(
  gateway: SluicePeer,
  options: BenchOptions,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly text?: string }> {
  if (!options.profile) return { result: await work() };
  const profiler = await startProfile(gateway.inspectorPort);
  const result = await work();
  return { result, text: await profiler.finish() };
}
