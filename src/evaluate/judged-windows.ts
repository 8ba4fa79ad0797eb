// A text → windows of token ids, and which of their tokens are judged, by each protocol.
import { CompError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { longestText } from "../model/spec/decoder-spec.ts";
import { type TokenWindows, windowsBetween } from "../model/spec/token-windows.ts";
import { type Judging, protocols } from "../options/protocols.ts";
import type { CalibrationText } from "../options/prune.ts";
import { joinDocuments, joinRows } from "../texts/documents.ts";
import { checkEmbedded } from "../tokenizer/embedded.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Tokens of a window by their places in it: `from` to `end` − 1. */
export interface Stretch {
  readonly from: number;
  readonly end: number;
}

export interface JudgedWindows extends TokenWindows {
  /** What is judged of each window, by the tokens that stand before it there. */
  readonly judged: readonly Stretch[];
}

/** Every token of every window but its first. */
export const judgedWhole = (windows: TokenWindows): JudgedWindows => ({
  ...windows,
  judged: Array.from({ length: windows.count }, () => ({ from: 1, end: windows.length })),
});

/** A view on the windows `start` to `end` − 1. */
export const judgedBetween = (windows: JudgedWindows, start: number, end: number): JudgedWindows => ({
  ...windowsBetween(windows, start, end),
  judged: windows.judged.slice(start, end),
});

/** Tokens that are judged. */
export const countJudged = ({ judged }: JudgedWindows): number =>
  judged.reduce((sum, { from, end }) => sum + end - from, 0);

interface JudgedText {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly text: CalibrationText;
  readonly options: Judging;
}

/**
 * The windows of a text from its start.
 *
 * @throws {CompError} "calibration" when there is not one, a row holds no text or a token has no embedding, "option" when
 *   there is no BOS or the protocol's windows are longer than the model's texts
 */
export function cutWindows({ model, tokenizer, text, options }: JudgedText): JudgedWindows {
  checkLength(model, options);
  const { context, stride, bos } = options;
  const ids = encodeText(tokenizer, text, options);
  if (ids.length < context)
    throw new CompError("calibration", `${text.name} has ${ids.length} tokens, a window needs ${context}`, {
      hint: "give a longer text, or a smaller --context",
    });
  const prefix = bos ? [requireBos(tokenizer)] : [];
  const starts = startsOf(ids.length, options);
  const rows = starts.map((start) => [...prefix, ...ids.slice(start, start + context)]);
  const length = prefix.length + context;
  const windows = {
    ids: Int32Array.from(rows.flatMap((row) => padded(row, length))),
    count: rows.length,
    length,
    // what stands in a window before the part in which two overlap has been judged in the one before
    judged: rows.map((row, i) => ({ from: i === 0 ? 1 : Math.max(1, length - stride), end: row.length })),
  };
  checkEmbedded(windows.ids, model.spec.vocabSize, tokenizer, text.name);
  return windows;
}

function checkLength({ spec, checkpoint }: Model, { protocol, context }: Judging): void {
  const longest = longestText(spec);
  if (!protocols[protocol].isFixed || context <= longest) return;
  const asked = `the protocol ${protocol} has windows of ${context} tokens`;
  throw new CompError("option", `${checkpoint.name} takes ${longest} tokens, ${asked}`, {
    hint: "judge it by the protocol windows or strided",
  });
}

/** Published protocols join the rows of a data set, and tokenize as the tokenizer does by itself, with BOS before the first window alone. */
function encodeText(tokenizer: Tokenizer, text: CalibrationText, { protocol }: Judging): number[] {
  if (!protocols[protocol].isFixed) return tokenizer.encode(joinDocuments(text));
  const { addsBos, bosTokenId } = tokenizer;
  return [...(addsBos && bosTokenId !== undefined ? [bosTokenId] : []), ...tokenizer.encode(joinRows(text))];
}

/** Where windows begin. Those that overlap go on to the end of the text, where the last may be shorter; of others only whole ones count. */
function startsOf(tokens: number, { context, stride, windows }: Judging): number[] {
  const beyondFirst = (tokens - context) / stride;
  const all = 1 + (stride < context ? Math.ceil(beyondFirst) : Math.floor(beyondFirst));
  const count = windows === 0 ? all : Math.min(all, windows);
  return Array.from({ length: count }, (_, i) => i * stride);
}

/** What stands behind the last token changes nothing before it. */
const padded = (row: readonly number[], length: number): readonly number[] =>
  row.length === length ? row : [...row, ...new Array<number>(length - row.length).fill(row.at(-1)!)];

function requireBos({ bosTokenId }: Tokenizer): number {
  if (bosTokenId === undefined)
    throw new CompError("option", "this model's tokenizer has no BOS token", { hint: "leave --bos out" });
  return bosTokenId;
}
