/** Windows of flow in the words of the audit log. */
import type { FlowData } from '../audit/audit.ts';
import type { FlowWindow } from './flow-windows.ts';

export function flowData(window: FlowWindow): FlowData {
  // In the order in which it is written: nothing has to be sorted.
  return {
    approximate: window.approximate,
    bytes: window.bytes,
    operation: window.operation,
    partition: window.partition,
    ranges: window.ranges(),
    records: window.records,
    records_without_offset: window.recordsWithoutOffset,
    requests: window.requests,
    topic: window.topic.told,
  };
}
