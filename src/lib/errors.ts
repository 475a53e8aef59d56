/**
 * The base of every error Sluice throws on purpose. `code` is a literal the caller can switch on;
 * `message` is fit for the person who has to act: what was wrong, where, and what to do. It never holds a secret.
 */
export class SluiceError<Code extends string = string> extends Error {
  readonly code: Code;
  /** True where the same call may succeed later without a change. */
  readonly retriable: boolean;

  constructor(code: Code, message: string, options: { cause?: unknown; retriable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
