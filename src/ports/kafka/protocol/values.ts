import { ProtocolError } from './protocol-error.ts';

/** A tagged field (KIP-482) this codec has no schema for, kept as it came. `data` is a view of the frame. */
export interface UnknownTag {
  tag: number;
  data: Buffer;
}

/**
 * What may be given where a message is written: any field may be left out and gets the schema's default, at any depth.
 */
export type Draft<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer Element)[]
    ? readonly Draft<Element>[]
    : T extends object
      ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
      : T;

/** The uuid of 16 zero bytes, which Kafka uses for "none". */
export const zeroUuid: string = 'AAAAAAAAAAAAAAAAAAAAAA';

export const uuidBytes: number = 16;

const uuidPattern = /^[A-Za-z0-9_-]{21}[AQgw]$/;

/** Writes a uuid given in Kafka's text form: unpadded base64url, 22 characters. Throws `ProtocolError`. */
export function writeUuid(target: Buffer, position: number, uuid: string): void {
  if (!uuidPattern.test(uuid)) {
    throw new ProtocolError('bad-value', position, 'A uuid is 22 characters of unpadded base64url for 16 bytes');
  }
  target.write(uuid, position, uuidBytes, 'base64url');
}
