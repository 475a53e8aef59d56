/** CEL comes with the first condition: it is a good part of all code that a gateway keeps in memory, and many policies have none. */
import type * as library from '@bufbuild/cel';
import { createRequire } from 'node:module';

type Library = typeof library;

export interface Cel {
  readonly isCelError: Library['isCelError'];
  readonly parse: Library['parse'];
  readonly plan: Library['plan'];
  readonly environment: ReturnType<Library['celEnv']>;
}

let loaded: Cel | null = null;

export function cel(): Cel {
  if (loaded !== null) return loaded;
  const { celEnv, isCelError, parse, plan } = createRequire(import.meta.url)('@bufbuild/cel') as Library;
  return (loaded = { isCelError, parse, plan, environment: celEnv() });
}
