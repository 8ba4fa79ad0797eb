// From options to calibration windows: from the texts given, from the model itself, or from the bundled mix.
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { CalibrationSummary, StageEvent } from "../events/common.ts";
import { residentBytes } from "../forward/resident-weights.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/token-windows.ts";
import type { CalibrationText, PruneOptions } from "../options/prune.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
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
  readonly signal?: AbortSignal | undefined;
}

export interface Calibration {
  readonly summary: CalibrationSummary;
  readonly windows: TokenWindows;
  readonly heldOut: TokenWindows;
}

/**
 * Calibration windows and held-out windows; yields progress while the model writes text of its own. Where it does so beside
 * given texts, these alone judge the result.
 */
export async function* prepareCalibration(request: CalibrationRequest): AsyncGenerator<StageEvent, Calibration> {
  const { options, tokenizer } = request;
  const { calibration: given, samples, context, seed } = options;
  const isGiven = given.length > 0;
  const own = yield* ownText(request, isGiven ? Math.round(options.ownText * samples) : samples + HELD_OUT);
  const beside = isGiven ? own.length : 0;
  const texts = isGiven ? given : own.length > 0 ? [] : [await request.bundledText()];
  const source = isGiven ? "file" : own.length > 0 ? "self-generated" : "bundled";
  const bos = tokenizer.addsBos ? tokenizer.bosTokenId : undefined;
  const cut = (streams: readonly number[][], count: number): TokenWindows =>
    sampleWindows(streams, { count, length: context, seed, bos });
  const streams = texts.length > 0 ? encodeTexts(texts, tokenizer) : own;
  const { development, heldOut } = splitWindows(cut(streams, samples - beside + HELD_OUT), HELD_OUT);
  const windows = beside > 0 ? interleaveWindows(development, cut(own, beside)) : development;
  const ownWindows = source === "self-generated" ? samples : beside;
  const extent = { windows: samples, ownWindows, context, tokens: samples * context };
  return { summary: { source, names: texts.map(({ name }) => name), ...extent }, windows, heldOut };
}

/** Samples that the model writes; none where its weights do not fit into memory for that, or no token begins a text. */
async function* ownText(
  { backend, model, tokenizer, options, budgetBytes, signal }: CalibrationRequest,
  count: number,
): AsyncGenerator<StageEvent, number[][]> {
  const { context, seed } = options;
  const firstToken = tokenizer.bosTokenId ?? tokenizer.eosTokenIds[0];
  if (count === 0 || firstToken === undefined || residentBytes(model) > budgetBytes) return [];
  const samples = generateSamples(backend, model, { count, length: context, firstToken, seed, budgetBytes, signal });
  for (;;) {
    const step = await samples.next();
    if (step.done) return step.value;
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
