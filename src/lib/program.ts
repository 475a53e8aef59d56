/**
 * A program beside the file that asks: TypeScript where that is TypeScript, as in a checkout, else what was built of it.
 *
 * @param from the file's `import.meta.url`
 */
export function programBeside(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from);
}
