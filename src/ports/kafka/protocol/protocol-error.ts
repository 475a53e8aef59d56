import { SluiceError } from '../../../lib/errors.ts';

/**
 * - `truncated`: the bytes end before the value does
 * - `bad-length`: a length or count that is negative, over its bound, or not what its content takes
 * - `trailing-bytes`: the message ended before its bytes did
 * - `unsupported-version`: no schema for this version, or a value that this version cannot carry
 * - `bad-value`: null where the protocol has none, a number out of range, text that is not UTF-8, tags out of order
 * - `frame-too-large`: a frame over the limit of its connection
 * - `bad-checksum`: a record batch whose CRC does not fit its bytes
 * - `bad-compression`: compressed bytes that do not decompress, or to more than their bound
 */
export type ProtocolErrorCode =
  | 'truncated'
  | 'bad-length'
  | 'trailing-bytes'
  | 'unsupported-version'
  | 'bad-value'
  | 'frame-too-large'
  | 'bad-checksum'
  | 'bad-compression';

/** The one error of the codec. It never holds payload bytes. */
export class ProtocolError extends SluiceError<ProtocolErrorCode> {
  /** Where it was noticed: bytes from the start of the buffer that was read or written. */
  readonly byteOffset: number;

  constructor(code: ProtocolErrorCode, byteOffset: number, message: string, options: { cause?: unknown } = {}) {
    super(code, `${message} (at byte ${byteOffset})`, options);
    this.byteOffset = byteOffset;
  }
}
