/** The pieces that policy shapes are made of. */
import * as z from 'zod';

/** A map whose keys are all known. Its issue about unknown keys carries `what: key key` for the hint made of it. */
export function closed<Shape extends z.ZodRawShape>(what: string, shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `${what}: ${keys.join(' ')}`
        : `Write a map with the keys ${keys.join(', ')}.`,
  });
}

/** A list of at least one. */
export function list<Item>(item: z.ZodType<Item>, what: string, max = 10_000): z.ZodArray<z.ZodType<Item>> {
  const shape = z
    .array(item, `Write a list of ${what}.`)
    .min(1, `Name at least one of the ${what}, or remove this key.`);
  return max === Infinity ? shape : shape.max(max, `At most ${max} ${what}.`);
}

export function text(what: string, max = 1_024): z.ZodString {
  return z
    .string(`Write ${what} as text; put it in quotes if it looks like a number.`)
    .min(1, `Write ${what}.`)
    .max(max, `At most ${max} characters.`);
}
