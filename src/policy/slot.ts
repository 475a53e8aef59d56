/** A number for each pair of action and resource type. Switches, since a table look-up by text costs three times as much on the hot path. */
import type { Action, ResourceType } from '../model/operation.ts';

export const slotCount = 40;

/** From 0 to `slotCount` - 1; -1 where one of the two is unknown. */
export function slotOf(action: Action, resourceType: ResourceType): number {
  const row = rowOf(resourceType);
  const column = columnOf(action);
  return row === -1 || column === -1 ? -1 : row * 10 + column;
}

function rowOf(resourceType: ResourceType): number {
  switch (resourceType) {
    case 'topic':
      return 0;
    case 'group':
      return 1;
    case 'transactional-id':
      return 2;
    case 'cluster':
      return 3;
    default:
      return unknown(resourceType);
  }
}

function columnOf(action: Action): number {
  switch (action) {
    case 'read':
      return 0;
    case 'write':
      return 1;
    case 'create':
      return 2;
    case 'delete':
      return 3;
    case 'alter':
      return 4;
    case 'describe':
      return 5;
    case 'cluster-action':
      return 6;
    case 'describe-configs':
      return 7;
    case 'alter-configs':
      return 8;
    case 'idempotent-write':
      return 9;
    default:
      return unknown(action);
  }
}

/** The compiler holds that every case stands above; a value that comes past it is still no slot. */
function unknown(_: never): -1 {
  return -1;
}
