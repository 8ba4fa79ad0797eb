// Ways to judge a model on a text; each sets the windows, and what of them may be chosen. docs/evaluation.md defines them.
import { CompError } from "../errors.ts";

interface Protocol {
  /** Tokens of a window, where nothing else is asked for. */
  readonly context: number;
  /** Windows from the start of the text, where nothing else is asked for; 0: all. */
  readonly windows: number;
  /** Whether `context` and `bos` are the protocol's own, so that its figures compare with published ones. */
  readonly isFixed: boolean;
}

export const protocols = {
  windows: { context: 512, windows: 16, isFixed: false },
  strided: { context: 512, windows: 16, isFixed: false },
  "llm-pruner": { context: 128, windows: 0, isFixed: true },
  wanda: { context: 2048, windows: 0, isFixed: true },
} as const satisfies Readonly<Record<string, Protocol>>;

export type ProtocolName = keyof typeof protocols;

/** How a text is judged, nothing left open. */
export interface Judging {
  readonly protocol: ProtocolName;
  /** Tokens of a window. */
  readonly context: number;
  /** Windows from the start of the text; 0: all. */
  readonly windows: number;
  /** Tokens from the beginning of a window to that of the next. */
  readonly stride: number;
  /** Whether each window begins with BOS, on top of its `context` tokens. */
  readonly bos: boolean;
}

/** What may be asked for. */
export type JudgingChoices = Partial<{ [Choice in keyof Judging]: Judging[Choice] | undefined }>;

/**
 * Settles how a text is judged.
 *
 * @throws {CompError} "option" when a protocol leaves no choice of what was chosen, or a stride leaves tokens without any before them
 */
export function settleJudging(choices: JudgingChoices): Judging {
  const { protocol = "windows", stride, bos = false } = choices;
  const own = protocols[protocol];
  const { context = own.context, windows = own.windows } = choices;
  if (own.isFixed && (choices.context !== undefined || bos))
    throw new CompError("option", `the protocol ${protocol} has windows of ${own.context} tokens as they are`, {
      hint: "leave context and BOS out, or choose the protocol windows",
    });
  if (protocol !== "strided" && stride !== undefined)
    throw new CompError("option", "a stride is for the protocol strided alone");
  if (stride !== undefined && stride >= context)
    throw new CompError("option", `the stride must be less than the ${context} tokens of a window, got ${stride}`);
  const step = protocol === "strided" ? (stride ?? Math.ceil(context / 2)) : context;
  return { protocol, context, windows, stride: step, bos };
}
