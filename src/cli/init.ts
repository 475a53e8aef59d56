/** `sluice init`: commented starter files. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { shownPath } from '../config/config.ts';
import { messageOf } from '../lib/errors.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError } from './output.ts';
import type { Output } from './output.ts';
import { starterConfiguration, starterPolicy } from './starter-files.ts';

/** @throws CommandError where a file is there already and `force` is not set, or cannot be written */
export async function runInit(folder: string, options: { readonly force: boolean }, output: Output): Promise<ExitCode> {
  const target = resolve(folder);
  const files = [
    { path: join(target, 'sluice.yaml'), text: starterConfiguration },
    { path: join(target, 'policies', 'example.yaml'), text: starterPolicy },
  ];
  const present = options.force ? [] : await existing(files.map((file) => file.path));
  if (present.length > 0) {
    throw new CommandError(
      exitCodes.problems,
      `Nothing was written: ${present.map(shownPath).join(' and ')} would be overwritten. Choose another folder, or use --force.`,
    );
  }
  for (const { path, text } of files) {
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    } catch (error) {
      throw new CommandError(exitCodes.problems, `${shownPath(path)} cannot be written: ${messageOf(error)}.`);
    }
  }
  const written = files.map((file) => shownPath(file.path));
  const config = written[0] ?? 'sluice.yaml';
  output.json({ written });
  for (const path of written) output.line(`wrote ${path}`);
  output.line('');
  output.line(`Next: edit both, then  sluice check --config ${config}  and  sluice serve --config ${config}`);
  return exitCodes.ok;
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_, index) => found[index]);
}
