// Calibration text that the model writes itself: works offline, in whatever languages the model speaks.
import type { Backend } from "../compute/backend.ts";
import { BatchSampler } from "../forward/decode/batch-sampler.ts";
import { CachedDecoder } from "../forward/decode/cached-decoder.ts";
import type { CacheType } from "../forward/decode/key-value-cache.ts";
import { memoryBytes } from "../forward/decode/mixer-memory.ts";
import { ResidentWeights } from "../forward/decode/resident-weights.ts";
import { nthRandom, type Random } from "../linalg/random.ts";
import type { Model } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { RunContext } from "../run-context.ts";

/** Sampling temperatures, in turn: plain text from the low ones, rare words from the high ones. */
const TEMPERATURES = [0.7, 0.9, 1.1];

export interface SelfGeneration {
  readonly count: number; // samples
  readonly length: number; // tokens of each, the first one included
  /** The first token of each sample, drawn from these where they are several. */
  readonly firstTokens: readonly number[];
  readonly seed: number;
}

/**
 * Samples of the model's own text; progress counts tokens.
 *
 * @returns token ids of each sample, [length], its first token left out
 */
export async function generateSamples(run: RunContext, model: Model, request: SelfGeneration): Promise<number[][]> {
  const samples: number[][] = [];
  const together = samplesTogether(run, model, request);
  const weights = new ResidentWeights(model, run.memory.weights);
  while (samples.length < request.count) {
    const batch = Math.min(together, request.count - samples.length);
    // each sample has numbers of its own, so that how many are decoded together changes nothing
    const sources = Array.from({ length: batch }, (_, i) => nthRandom(request.seed, samples.length + i));
    samples.push(...(await generateBatch(run, weights, request, sources, samples.length)));
  }
  return samples;
}

async function generateBatch(
  { backend, collectGarbage, report, signal }: RunContext,
  weights: ResidentWeights,
  { count, length, firstTokens }: SelfGeneration,
  sources: readonly Random[],
  offset: number,
): Promise<number[][]> {
  const batch = sources.length;
  const temperatures = sources.map((_, i) => TEMPERATURES[(offset + i) % TEMPERATURES.length]!);
  const sampler = new BatchSampler(backend, weights.model.spec.vocabSize, temperatures);
  const decoder = new CachedDecoder(backend, weights, batch, { cacheType: cacheTypeOn(backend), collectGarbage });
  const samples: number[][] = sources.map(() => []);
  const isDrawn = firstTokens.length > 1;
  let last = Int32Array.from(sources, (random) => firstTokens[isDrawn ? random.nextInt(firstTokens.length) : 0]!);
  try {
    for (let position = 0; position < length; position++) {
      signal?.throwIfAborted();
      last = await sampler.draw(await decoder.step(last, 1), (i) => sources[i]!.nextFloat());
      for (const [i, sample] of samples.entries()) sample.push(last[i]!);
      const done = offset * length + (position + 1) * batch;
      report({ type: "stage", name: "generate", done, total: count * length });
    }
  } finally {
    await decoder.release();
    await sampler.release();
  }
  return samples;
}

/** As many samples as their keys and values leave room for, and the same number in all batches: a step reads all weights. */
function samplesTogether(run: RunContext, { spec }: Model, { count, length }: SelfGeneration): number {
  const most = Math.max(1, Math.floor(run.memory.caches / sampleBytes(spec, length, cacheTypeOn(run.backend))));
  return Math.ceil(count / Math.ceil(count / most));
}

/** Half the memory, so that twice as many samples go at once, where the processor computes; other devices may have no f16. */
const cacheTypeOn = ({ device }: Backend): CacheType => (device === "cpu" ? "f16" : "f32");

/** Of what the mixers remember of one sample. */
export const sampleBytes = (spec: DecoderSpec, length: number, type: CacheType): number =>
  spec.layers.reduce((total, layer) => total + memoryBytes(spec, layer, length, type), 0);
