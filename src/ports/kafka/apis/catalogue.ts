/** Every API that clients may use, by its handler; and for each that they may not, why. */
import type { ApiName } from '../protocol/protocol.ts';
import { apiByName } from '../protocol/protocol.ts';
import { fetch } from './fetch.ts';
import type { ApiHandler } from './handler.ts';
import { metadata } from './metadata.ts';
import { produce } from './produce.ts';

type AnyHandler = { [N in ApiName]: ApiHandler<N> }[ApiName];

const all: readonly AnyHandler[] = [produce, fetch, metadata];

/** The handlers as the table of what is served. */
export const handlers: readonly { readonly name: ApiName; readonly versions: { readonly min: number; readonly max: number } }[] = all;

const byKey = new Map<number, AnyHandler>(all.map((handler) => [apiByName(handler.name).key, handler]));

/** The handler of an API key. Its type parameter is lost in the table; whoever decodes does so by the handler's own name. */
export function handlerFor(apiKey: number): ApiHandler<ApiName> | undefined {
  return byKey.get(apiKey) as ApiHandler<ApiName> | undefined;
}
