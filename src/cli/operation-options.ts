/** `--action`, and the resource it is asked of: the operation of `sluice policy test`. */
import { nearest } from '../lib/nearest.ts';
import { actions, clusterName } from '../model/operation.ts';
import type { Action, Operation, ResourceType } from '../model/operation.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';

export interface OperationOptions {
  readonly action?: string | undefined;
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
  readonly transactionalId?: string | undefined;
  readonly cluster?: boolean | undefined;
  readonly partition?: string | undefined;
}

/** @throws CommandError with exit code 2 */
export function parseOperation(options: OperationOptions): Operation {
  const named = resourcesOf(options);
  const [first, second] = named;
  if (first === undefined) throw usage('Name the resource: --topic, --group, --transactional-id or --cluster.');
  if (second !== undefined)
    throw usage('Name one resource: only one of --topic, --group, --transactional-id and --cluster.');
  const operation = { action: parseAction(options.action), resourceType: first.type, resourceName: first.name };
  if (options.partition === undefined) return operation;
  if (first.type !== 'topic') throw usage('--partition goes with --topic.');
  if (!/^\d{1,9}$/.test(options.partition))
    throw usage(`--partition takes a number from 0; "${options.partition}" is none.`);
  return { ...operation, partition: Number(options.partition) };
}

function resourcesOf(options: OperationOptions): readonly { readonly type: ResourceType; readonly name: string }[] {
  const given: { type: ResourceType; name: string }[] = [];
  if (options.topic !== undefined) given.push({ type: 'topic', name: options.topic });
  if (options.group !== undefined) given.push({ type: 'group', name: options.group });
  if (options.transactionalId !== undefined) given.push({ type: 'transactional-id', name: options.transactionalId });
  if (options.cluster === true) given.push({ type: 'cluster', name: clusterName });
  return given;
}

function parseAction(text: string | undefined): Action {
  if (text === undefined) throw usage(`Name what is done: --action, one of ${actions.join(', ')}.`);
  const action = actions.find((known) => known === text);
  if (action !== undefined) return action;
  const near = nearest(text, actions);
  throw usage(
    `"${text}" is no action. ${near === null ? `Write one of ${actions.join(', ')}.` : `Did you mean "${near}"?`}`,
  );
}

function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
