// The one error type a user meets. It says what happened, where, and how to go on.

/** What kind of thing went wrong; a program can branch on it, a person reads the message. */
export type ErrorKind =
  | "checkpoint" // not a model, or a damaged one
  | "architecture" // a model family or feature that is not supported
  | "option" // a flag or value that makes no sense
  | "calibration" // the calibration text does not suffice
  | "budget" // the sparsity asked for cannot be reached
  | "output" // the result cannot be written
  | "numeric" // weights or statistics that are not finite
  | "aborted"; // stopped by the caller

/** An expected failure. `message` is one line: what, and where. `hint` says how to go on. */
export class CompError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CompError";
    this.kind = kind;
    this.hint = options.hint;
  }
}
