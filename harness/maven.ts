import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../src/lib/errors.ts';
import { run } from './processes.ts';

const fetchTimeoutMs = 10 * 60_000;
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

export interface Artifact {
  group: string;
  name: string;
  version: string;
  /** Artifacts it would bring along that are not wanted, as `group:name`. */
  without?: readonly string[];
}

/**
 * Copies artifacts and all they need at run time into `folder`, with Maven and its configured repositories;
 * checksums are enforced.
 * @throws {SluiceError} `maven-missing`, `maven-failed`
 */
export async function fetchFromMaven(artifacts: readonly Artifact[], folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'sluice-maven-'));
  try {
    await writeFile(join(work, 'pom.xml'), projectFile(artifacts));
    const args = [
      '-B',
      '-q',
      '-ntp',
      '-C',
      '-U',
      '-Dstyle.color=never',
      copyGoal,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${folder}`,
    ];
    const result = await run('mvn', args, { cwd: work, timeoutMs: fetchTimeoutMs }).catch(() => {
      throw new SluiceError('maven-missing', 'Maven (mvn) was not found. Install it: apt-get install maven');
    });
    if (result.code !== 0)
      throw new SluiceError('maven-failed', explain(result.stdout + result.stderr), { retriable: true });
    if ((await readdir(folder)).length === 0)
      throw new SluiceError('maven-failed', 'Maven ended well but brought no files.');
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function explain(output: string): string {
  const errors = output
    .split('\n')
    .filter((line) => line.startsWith('[ERROR]') && !/^\[ERROR\] *($|To see|Re-run|For more|\[Help)/.test(line))
    .slice(0, 4)
    .map((line) => line.replace(/ -> \[Help \d+\]$/, ''))
    .join('\n');
  const hint =
    'Check that a Maven repository can be reached (a mirror or proxy goes into ~/.m2/settings.xml) and that the version exists.';
  return `Maven could not fetch what is needed. ${hint}\n${errors}`;
}

function projectFile(artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map(
    (artifact) =>
      `<dependency>${coordinates(artifact.group, artifact.name)}<version>${artifact.version}</version>` +
      `<exclusions>${(artifact.without ?? []).map(exclusion).join('')}</exclusions></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>${coordinates('sluice', 'harness')}<version>1</version><dependencies>${dependencies.join('\n')}</dependencies></project>`;
}

function exclusion(name: string): string {
  const [group, artifact] = name.split(':');
  return `<exclusion>${coordinates(group ?? '*', artifact ?? '*')}</exclusion>`;
}

function coordinates(group: string, name: string): string {
  return `<groupId>${group}</groupId><artifactId>${name}</artifactId>`;
}
