/** Which of the names a request has more than once. Brokers refuse those as malformed, whoever asks. */
export function namedTwice(names: readonly string[]): ReadonlySet<string> {
  const once = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) {
    if (once.has(name)) twice.add(name);
    once.add(name);
  }
  return twice;
}
