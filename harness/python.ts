/** Python packages from PyPI, on demand: into the cache, beside whatever Python has. */
import { join } from 'node:path';
import { SluiceError } from '../src/lib/errors.ts';
import { installOnce, say } from './cache.ts';
import { run } from './processes.ts';

const installTimeoutMs = 5 * 60_000;

export interface PythonPackage {
  readonly python: string;
  /** `PYTHONPATH` with the package in it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Only wheels are taken: nothing is built, and no code of a package runs to install it.
 * @throws {SluiceError} `python-missing`, `pip-failed`
 */
export async function ensurePythonPackage(name: string, version: string): Promise<PythonPackage> {
  const python = 'python3';
  const { stdout } = await run(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']).catch(() => {
    throw new SluiceError('python-missing', 'Python (python3) was not found. Install it: apt-get install python3-pip');
  });
  const folder = await installOnce(`python${stdout.trim()}-${name}-${version}`, async (draft) => {
    say(`fetching ${name} ${version} from PyPI (once)`);
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    const result = await run(python, [...args, '--target', join(draft, 'lib'), `${name}==${version}`], {
      timeoutMs: installTimeoutMs,
    });
    if (result.code === 0) return;
    const why = result.stderr.trimEnd().split('\n').slice(-3).join('\n');
    throw new SluiceError(
      'pip-failed',
      `pip could not install ${name} ${version}:\n${why}\nWhere pip itself is missing: apt-get install python3-pip`,
      { retriable: true },
    );
  });
  return { python, env: { PYTHONPATH: join(folder, 'lib'), PYTHONDONTWRITEBYTECODE: '1' } };
}
