// How fast a model reads a prompt and writes on, in our engine.
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { EngineResult, Speed, Spread } from "../events/bench.ts";
import { CachedDecoder } from "../forward/decode/cached-decoder.ts";
import { ResidentWeights } from "../forward/decode/resident-weights.ts";
import { createRandom } from "../linalg/random.ts";
import type { Model } from "../model/model.ts";
import { longestText } from "../model/spec/decoder-spec.ts";
import type { BenchOptions } from "../options/bench.ts";

export interface SpeedRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly extent: Pick<BenchOptions, "promptTokens" | "tokens">;
  /** Weights stay in memory when all of them take no more than this. */
  readonly budgetBytes: number;
  /** Seconds on a clock. */
  readonly now: () => number;
}

/**
 * Tokens a second on ids at random. Both kinds of step are taken once before, so that the weights are in memory and the graphs
 * compiled.
 */
export async function measureSpeed({
  backend,
  model,
  extent,
  budgetBytes,
  now,
}: SpeedRequest): Promise<Omit<Speed, "peakBytes">> {
  const { promptTokens, tokens } = extent;
  const weights = new ResidentWeights(model, budgetBytes);
  const prompt = benchTokens(model.spec.vocabSize, promptTokens);
  const decode = async (decoder: CachedDecoder, count: number): Promise<number> => {
    const start = now();
    for (let i = 0; i < count; i++) await decoder.step(prompt.subarray(i % promptTokens, (i % promptTokens) + 1), 1);
    return now() - start;
  };
  const warm = new CachedDecoder(backend, weights, 1);
  await warm.step(prompt, promptTokens);
  await decode(warm, 1);
  await warm.release();
  const decoder = new CachedDecoder(backend, weights, 1);
  try {
    const start = now();
    await decoder.step(prompt, promptTokens);
    const prefill = promptTokens / (now() - start);
    return { prefill, decode: tokens / (await decode(decoder, tokens)) };
  } finally {
    await decoder.release();
  }
}

/** The same tokens for all models of a vocabulary. */
export function benchTokens(vocabSize: number, count: number): Int32Array {
  const random = createRandom(0);
  return Int32Array.from({ length: count }, () => random.nextInt(vocabSize));
}

/** @throws {CompError} "option" when a model cannot take so much text */
export function checkExtent({ checkpoint, spec }: Model, { promptTokens, tokens }: SpeedRequest["extent"]): void {
  const longest = longestText(spec);
  if (promptTokens + tokens <= longest) return;
  throw new CompError("option", `${checkpoint.name} takes ${longest} tokens, not ${promptTokens} and ${tokens} more`, {
    hint: "give a smaller --prompt-tokens or --tokens",
  });
}

/** The second model by the first, each repetition by itself: what slows both down for a while is in no ratio. */
export function speedRatios([first, second]: EngineResult["speeds"]): EngineResult["ratios"] {
  const spread = (figure: keyof Speed): Spread => spreadOf(second.map((speed, i) => speed[figure] / first[i]![figure]));
  return { prefill: spread("prefill"), decode: spread("decode"), peakBytes: spread("peakBytes") };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { least: sorted[0]!, median, most: sorted.at(-1)! };
}
