import type { JsonObject } from './json.ts';

/**
 * One line of the audit log: a CloudEvents 1.0 envelope in structured JSON form.
 * `id` is unique; (`data.session_id`, `data.seq`) is unique within one gateway.
 */
export interface Entry {
  readonly specversion: '1.0';
  readonly id: string;
  /** The gateway instance that wrote it, `/sluice/GATEWAY_ID`. */
  readonly source: string;
  /** `dev.sluice.audit.CODE`. */
  readonly type: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** What it is about, `topic/payments`; absent for entries about a session or the gateway. */
  readonly subject?: string;
  readonly datacontenttype: 'application/json';
  readonly data: JsonObject;
}
