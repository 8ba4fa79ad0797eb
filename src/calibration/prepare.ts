// From options to calibration windows: from the texts given, from the model itself, or from the bundled mix.
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { CalibrationSummary, StageEvent } from "../events/common.ts";
import { residentBytes } from "../forward/decode/resident-weights.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { CalibrationText, PruneOptions } from "../options/prune.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { windowCount } from "./amount.ts";
import { readDocuments } from "./read-texts.ts";
import { generateSamples } from "./self-generated.ts";
import { interleaveWindows, sampleWindows, splitWindows, type WindowOptions } from "./windows.ts";

/** Windows kept out of all statistics, to measure the result on. */
const HELD_OUT = 8;

export interface CalibrationRequest {
  readonly backend: Backend;
  readonly model: Model;
  /** Called once; the tokenizer is let go before the model writes: each collection of garbage looks through its vocabulary. */
  readonly openTokenizer: () => Promise<Tokenizer>;
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
  const { options, model } = request;
  const given = options.calibration;
  const samples = windowCount(model.spec, options);
  const { first, bos, sampled, names } = await readTexts(request, samples);
  const own = sampled ? samples - sampled.development.count : samples + HELD_OUT;
  const written =
    own > 0 ? sampleWindows(yield* ownText(request, first!, own), windowsOf(options, own, bos)) : undefined;
  if (!sampled) {
    const { development, heldOut } = splitWindows(written!, HELD_OUT);
    return { summary: summaryOf(options, samples, "self-generated", names, samples), windows: development, heldOut };
  }
  const windows = written ? interleaveWindows(sampled.development, written) : sampled.development;
  const source = given.length > 0 ? "file" : "bundled";
  return { summary: summaryOf(options, samples, source, names, own), windows, heldOut: sampled.heldOut };
}

interface ReadTexts {
  /** What a text of the model's own begins with; undefined where it cannot write one: no token, or its weights do not fit into memory. */
  readonly first: number | undefined;
  /** What every window begins with. */
  readonly bos: number | undefined;
  /** Windows of the texts; undefined where the model writes all itself. */
  readonly sampled: ReturnType<typeof splitWindows> | undefined;
  readonly names: readonly string[];
}

/** All that takes a tokenizer. */
async function readTexts(request: CalibrationRequest, samples: number): Promise<ReadTexts> {
  const { options, model, bundledText, budgetBytes } = request;
  const tokenizer = await request.openTokenizer();
  const bos = tokenizer.addsBos ? tokenizer.bosTokenId : undefined;
  const first = residentBytes(model) > budgetBytes ? undefined : (tokenizer.bosTokenId ?? tokenizer.eosTokenIds[0]);
  const given = options.calibration;
  if (given.length === 0 && first !== undefined) return { first, bos, sampled: undefined, names: [] };
  const texts = given.length > 0 ? given : [await bundledText()];
  const ownWindows = given.length > 0 && first !== undefined ? Math.round(options.ownText * samples) : 0;
  const count = samples - ownWindows + HELD_OUT;
  const windows = sampleWindows(encodeTexts(texts, tokenizer), windowsOf(options, count, bos));
  return { first, bos, sampled: splitWindows(windows, HELD_OUT), names: texts.map(({ name }) => name) };
}

const windowsOf = ({ context, seed }: PruneOptions, count: number, bos: number | undefined): WindowOptions => ({
  count,
  length: context,
  seed,
  bos,
});

const summaryOf = (
  { context }: PruneOptions,
  windows: number,
  source: CalibrationSummary["source"],
  names: readonly string[],
  ownWindows: number,
): CalibrationSummary => ({
  source,
  names,
  windows,
  ownWindows,
  context,
  tokens: windows * context,
});

/** Texts that the model writes. */
async function* ownText(
  request: CalibrationRequest,
  first: number,
  count: number,
): AsyncGenerator<StageEvent, number[][]> {
  const { backend, model, options, budgetBytes, collectGarbage, signal } = request;
  const { context, seed } = options;
  const how = { count, length: context, firstToken: first, seed, budgetBytes, collectGarbage, signal };
  const samples = generateSamples(backend, model, how);
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
