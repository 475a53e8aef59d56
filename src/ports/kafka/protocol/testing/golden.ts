/** Frames that real clients and brokers sent, kept under `test/wire/kafka`, for tests of what reads them another way. */
import { globSync, readFileSync } from 'node:fs';

const folder = new URL('../../../../../test/wire/kafka/', import.meta.url).pathname;

export interface GoldenPayload {
  readonly file: string;
  readonly version: number;
  readonly payload: Buffer;
}

/** Those of one API and direction; none where none were recorded. */
export function goldenPayloads(api: string, direction: 'request' | 'response'): GoldenPayload[] {
  return globSync(`${api}/${direction}-v*.hex`, { cwd: folder }).map((file) => {
    const version = Number(/-v(\d+)-/.exec(file)?.[1]);
    const text = readFileSync(folder + file, 'utf8').replaceAll(/^#.*$|\s/gm, '');
    return { file, version, payload: Buffer.from(text, 'hex') };
  });
}
