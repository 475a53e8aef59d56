/**
 * Records the golden frames of test/wire/kafka anew: real clients and real brokers, with a relay between them. It takes
 * some minutes. test/wire/README.md says what comes out.
 *
 *   sh scripts/node.sh scripts/capture-wire.ts                    into test/wire/kafka
 *   sh scripts/node.sh scripts/capture-wire.ts FOLDER [--driver]  elsewhere; --driver: the brokers' answers only
 */
import { captureFrom } from '../test/wire/capture/capture.ts';
import { runClients } from '../test/wire/capture/clients.ts';
import { createRecorder } from '../test/wire/capture/recorder.ts';

const [named] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const folder = named ?? new URL('../test/wire/kafka', import.meta.url).pathname;
const clients = process.argv.includes('--driver') ? async (): Promise<void> => {} : runClients;
const recorder = createRecorder();
const say = (line: string): void => console.log(line);

for (const version of ['4.2.1', '3.9.1']) await captureFrom(version, recorder, clients, say);
console.log(`${await recorder.write(folder)} files in ${folder}`);
