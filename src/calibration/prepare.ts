// From options to calibration windows: from the texts given, from the model itself, or from the bundled mix.
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { CalibrationSummary, StageEvent } from "../events/common.ts";
import { residentBytes } from "../forward/resident-weights.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/token-windows.ts";
import type { CalibrationText, PruneOptions } from "../options/prune.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { windowCount } from "./amount.ts";
import { readDocuments } from "./read-texts.ts";
import { generateSamples } from "./self-generated.ts";
import { interleaveWindows, sampleWindows, splitWindows } from "./windows.ts";

/** Windows kept out of all statistics, to measure the result on. */
const HELD_OUT = 8;

export interface CalibrationRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly options: PruneOptions;
  readonly bundledText: () => Promise<CalibrationText>;
  /** Self-generation holds the weights in memory only up to this; beyond it the bundled mix is used. */
  readonly budgetBytes: number;
  readonly collectGarbage: () => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Calibration {
  readonly summary: CalibrationSummary;
  readonly windows: TokenWindows;
  readonly heldOut: TokenWindows;
}

/**
 * Calibration windows and held-out windows; yields progress while the model writes text of its own. Where it does so beside
 * given texts, these alone judge the result; whatever is wrong with them shows before anything is written.
 */
export async function* prepareCalibration(request: CalibrationRequest): AsyncGenerator<StageEvent, Calibration> {
  const { options, tokenizer, model } = request;
  const given = options.calibration;
  const samples = windowCount(model.spec, options);
  const first = firstToken(request);
  if (given.length === 0 && first !== undefined) {
    const { development, heldOut } = splitWindows(yield* ownText(request, first, samples + HELD_OUT), HELD_OUT);
    return { summary: summaryOf(options, samples, "self-generated", [], samples), windows: development, heldOut };
  }
  const isGiven = given.length > 0;
  const texts = isGiven ? given : [await request.bundledText()];
  const ownWindows = isGiven && first !== undefined ? Math.round(options.ownText * samples) : 0;
  const sampled = cut(request, encodeTexts(texts, tokenizer), samples - ownWindows + HELD_OUT);
  const { development, heldOut } = splitWindows(sampled, HELD_OUT);
  const windows =
    ownWindows > 0 ? interleaveWindows(development, yield* ownText(request, first!, ownWindows)) : development;
  return { summary: summaryOf(options, samples, isGiven ? "file" : "bundled", texts, ownWindows), windows, heldOut };
}

const summaryOf = (
  { context }: PruneOptions,
  windows: number,
  source: CalibrationSummary["source"],
  texts: readonly CalibrationText[],
  ownWindows: number,
): CalibrationSummary => ({
  source,
  names: texts.map(({ name }) => name),
  windows,
  ownWindows,
  context,
  tokens: windows * context,
});

function cut(
  { options, tokenizer }: CalibrationRequest,
  streams: readonly (readonly number[])[],
  count: number,
): TokenWindows {
  const bos = tokenizer.addsBos ? tokenizer.bosTokenId : undefined;
  return sampleWindows(streams, { count, length: options.context, seed: options.seed, bos });
}

/** What a text of the model's own begins with; undefined where it cannot write one: no token, or its weights do not fit into memory. */
const firstToken = ({ model, tokenizer, budgetBytes }: CalibrationRequest): number | undefined =>
  residentBytes(model) > budgetBytes ? undefined : (tokenizer.bosTokenId ?? tokenizer.eosTokenIds[0]);

/** Windows that the model writes. */
async function* ownText(
  request: CalibrationRequest,
  first: number,
  count: number,
): AsyncGenerator<StageEvent, TokenWindows> {
  const { backend, model, options, budgetBytes, collectGarbage, signal } = request;
  const { context, seed } = options;
  const how = { count, length: context, firstToken: first, seed, budgetBytes, collectGarbage, signal };
  const samples = generateSamples(backend, model, how);
  for (;;) {
    const step = await samples.next();
    if (step.done) return cut(request, step.value, count);
    yield { type: "stage", name: "generate", done: step.value, total: count * context };
  }
}

function encodeTexts(texts: readonly CalibrationText[], tokenizer: Tokenizer): number[][] {
  const streams = texts.map((text) => tokenizer.encode(readDocuments(text).join("\n\n")));
  if (streams.some((stream) => stream.length > 0)) return streams;
  throw new CompError("calibration", `there is no text in ${texts.map(({ name }) => name).join(", ")}`, {
    hint: "give other text with --calibration",
  });
}
