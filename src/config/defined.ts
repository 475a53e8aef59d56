/** The same object without the keys that are undefined: absent and undefined are not the same to `exactOptionalPropertyTypes`. */
export function defined<T extends object>(input: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(input).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}
