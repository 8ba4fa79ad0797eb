// The one error type a user meets. It says what happened, where, and how to go on.

/** What kind of thing went wrong; a program can branch on it, a person reads the message. */
export type ErrorKind =
  | "checkpoint" // not a model, or a damaged one
  | "architecture" // a model family or feature that is not supported
  | "option" // a flag or value that makes no sense
  | "calibration" // the calibration text does not suffice
  | "budget" // the sparsity asked for cannot be reached, or not within the memory
  | "output" // the result cannot be written
  | "device" // what was to compute is not there, or gave up
  | "numeric" // weights or statistics that are not finite
  | "aborted"; // stopped by the caller

/** Of a message, characters: what a file says of itself may stand in it. */
const LONGEST_MESSAGE = 1000;
/** What would break the line, or make a terminal do something else than show it. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** An expected failure. `message` is one line: what, and where. `hint` says how to go on. */
export class CompError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(oneLine(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CompError";
    this.kind = kind;
    this.hint = options.hint;
  }
}

/** A text as one line that shows what cannot be seen, without its middle where it is too long. */
const oneLine = (text: string): string =>
  shortened(shortened(text).replace(UNPRINTABLE, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`));

function shortened(text: string): string {
  const half = LONGEST_MESSAGE / 2 - 1;
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, half)}…${text.slice(-half)}` : text;
}

/** A value of a file as a message shows it: what holds others only by its kind, since it may nest without end. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value); // infinite numbers and bigints too
  const isFlat = Array.isArray(value) && value.length <= 8 && value.every((item) => typeof item !== "object");
  return isFlat ? `[${value.map(describeValue).join(", ")}]` : Array.isArray(value) ? "a list" : "an object";
}
