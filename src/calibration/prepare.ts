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
import { sampleWindows, splitWindows } from "./windows.ts";

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

/** Calibration windows and held-out windows; yields progress while the model writes its own text. */
export async function* prepareCalibration(request: CalibrationRequest): AsyncGenerator<StageEvent, Calibration> {
  const { options, tokenizer } = request;
  const { source, names, streams } = yield* tokenStreams(request);
  const bos = tokenizer.addsBos ? tokenizer.bosTokenId : undefined;
  const sampled = sampleWindows(streams, {
    count: options.samples + HELD_OUT,
    length: options.context,
    seed: options.seed,
    bos,
  });
  const { development, heldOut } = splitWindows(sampled, HELD_OUT);
  const summary = {
    source,
    names,
    windows: options.samples,
    context: options.context,
    tokens: options.samples * options.context,
  };
  return { summary, windows: development, heldOut };
}

interface TokenStreams {
  readonly source: CalibrationSummary["source"];
  readonly names: readonly string[];
  readonly streams: readonly (readonly number[])[];
}

async function* tokenStreams(request: CalibrationRequest): AsyncGenerator<StageEvent, TokenStreams> {
  const { options, model, tokenizer } = request;
  if (options.calibration.length > 0) return encodeTexts("file", options.calibration, tokenizer);
  const first = tokenizer.bosTokenId ?? tokenizer.eosTokenIds[0];
  if (first === undefined || residentBytes(model) > request.budgetBytes) {
    return encodeTexts("bundled", [await request.bundledText()], tokenizer);
  }
  return { source: "self-generated", names: [], streams: yield* generate(request, first) };
}

async function* generate(
  { backend, model, options, budgetBytes, signal }: CalibrationRequest,
  firstToken: number,
): AsyncGenerator<StageEvent, number[][]> {
  const { context, seed } = options;
  const count = options.samples + HELD_OUT;
  const samples = generateSamples(backend, model, { count, length: context, firstToken, seed, budgetBytes, signal });
  for (;;) {
    const step = await samples.next();
    if (step.done) return step.value;
    yield { type: "stage", name: "generate", done: step.value, total: count * context };
  }
}

function encodeTexts(
  source: CalibrationSummary["source"],
  texts: readonly CalibrationText[],
  tokenizer: Tokenizer,
): TokenStreams {
  const streams = texts.map((text) => tokenizer.encode(readDocuments(text).join("\n\n")));
  if (streams.every((stream) => stream.length === 0)) {
    throw new CompError("calibration", `there is no text in ${texts.map(({ name }) => name).join(", ")}`, {
      hint: "give other text with --calibration",
    });
  }
  return { source, names: texts.map(({ name }) => name), streams };
}
