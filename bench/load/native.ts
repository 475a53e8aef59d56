/** The load generator and the fake broker, compiled once per change of their sources into the cache. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { installOnce, say } from '../../harness/cache.ts';
import { run } from '../../harness/processes.ts';
import { SluiceError } from '../../src/lib/errors.ts';

export interface NativePrograms {
  readonly broker: string;
  readonly client: string;
}

const folder = import.meta.dirname;
const programs = ['broker', 'client'] as const;

/** @throws SluiceError `compiler-missing`, `compile-failed` */
export async function nativePrograms(): Promise<NativePrograms> {
  const target = await installOnce(`bench-load-${sourcesDigest()}`, compileInto);
  return { broker: join(target, 'broker'), client: join(target, 'client') };
}

async function compileInto(target: string): Promise<void> {
  say('compiling the load generator (once)');
  const compiler = process.env['CC'] || 'cc';
  for (const program of programs) {
    const args = ['-O2', '-Wall', '-o', join(target, program), join(folder, `${program}.c`)];
    const { code, stderr } = await run(compiler, args).catch((cause: unknown) => {
      const message = `No C compiler: ${compiler} is not in PATH. Install one (apt-get install gcc libc6-dev), or name it in CC.`;
      throw new SluiceError('compiler-missing', message, { cause });
    });
    if (code !== 0)
      throw new SluiceError('compile-failed', `${program}.c does not compile with ${compiler}:\n${stderr}`);
  }
}

function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).toSorted()) {
    if (file.endsWith('.c') || file.endsWith('.h')) hash.update(file).update(readFileSync(join(folder, file)));
  }
  return hash.digest('hex').slice(0, 12);
}
