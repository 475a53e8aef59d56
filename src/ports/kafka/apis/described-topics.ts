import type { RequestAccess } from './handler.ts';

/** Whether every topic may be described. Asks for each, so that the log has every denial and not only the first. */
export function mayDescribeAll(topics: Iterable<string>, access: RequestAccess): boolean {
  let permitted = true;
  for (const topic of topics) permitted = access.may('describe', 'topic', topic) && permitted;
  return permitted;
}
