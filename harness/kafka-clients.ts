/** Java's client library from Maven into the cache, in any version, with or without Kafka Streams. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { installOnce, say } from './cache.ts';
import { fetchFromMaven } from './maven.ts';

/** What its OIDC support needs, and does not bring along. */
const jose4jVersion = '0.9.6';
const jacksonVersion = '2.21.2';
const slf4jVersion = '1.7.36';

/**
 * @returns the classpath: the library with what its OIDC support needs, Jackson, and a logger that writes to stderr
 * @throws {SluiceError} those of `fetchFromMaven`
 */
export async function ensureKafkaClients(library: 'kafka-clients' | 'kafka-streams', version: string): Promise<string> {
  const folder = await installOnce(`${library}-${version}-oidc`, async (draft) => {
    say(`fetching ${library} ${version} from Maven (once)`);
    await mkdir(join(draft, 'lib'));
    await fetchFromMaven(
      [
        { group: 'org.apache.kafka', name: library, version },
        { group: 'org.bitbucket.b_c', name: 'jose4j', version: jose4jVersion },
        { group: 'com.fasterxml.jackson.core', name: 'jackson-databind', version: jacksonVersion },
        { group: 'org.slf4j', name: 'slf4j-simple', version: slf4jVersion },
      ],
      join(draft, 'lib'),
    );
  });
  return (await readdir(join(folder, 'lib')))
    .toSorted()
    .map((name) => join(folder, 'lib', name))
    .join(':');
}
