// What experts that stay make up for when others are gone: each is refitted on the tokens that it now gets, one after the other, to
// what is still missing.
import { expertStatistics } from "../forward/run/expert-statistics.ts";
import { expertOutputs, type TokenRoutes, tokensOf } from "../forward/run/mixture.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import { allIndices } from "../linalg/gather.ts";
import { inMemory } from "../linalg/projection.ts";
import type { DecoderLayer, Experts, LayerWeights } from "../model/read-layer.ts";
import type { RunContext } from "../run-context.ts";
import { tokensFor, withPrior } from "./routed-tokens.ts";
import type { SublayerRequest } from "./sublayer.ts";

export interface ExpertRefit {
  readonly request: SublayerRequest;
  /** What should be written in addition, batch by batch, f32 [count, hiddenSize]; becomes what still is afterwards. */
  readonly missing: readonly Float32Array[];
  readonly fisherFactor: Float32Array | undefined;
}

/** Experts whose down_proj aims at what is missing. */
export async function refitExperts(
  run: RunContext,
  layer: DecoderLayer,
  routed: readonly TokenRoutes[],
  { request, missing, fisherFactor }: ExpertRefit,
): Promise<Experts> {
  const { method, runner } = request;
  const experts = layer.experts!;
  const refitted: StoredArray[] = [];
  for (let expert = 0; expert < experts.count; expert++) {
    run.signal?.throwIfAborted();
    const mlp = await experts.read(expert);
    const { data: weight, shape } = mlp.downProj!;
    const [outputSize, inputSize] = shape as [number, number];
    const batches = routed.map((batch, i) => ({ ...tokensFor(expert, experts.count, batch), missing: missing[i]! }));
    const seen = await expertStatistics(runner, mlp, batches);
    const statistics = { ...seen, gram: withPrior(seen.gram, inputSize, seen.tokenCount), fisherFactor };
    const projection = { weight, inputSize, outputSize };
    const context = { gemm: run.gemm, ridge: method.ridge };
    const recovered = await method.recovery.recover(projection, inMemory(statistics), allIndices(inputSize), context);
    refitted.push(await run.scratch.put(recovered.weight));
    await takeOff(request, expert, { mlp, change: difference(recovered.weight, weight), routed, missing });
    run.collectGarbage();
  }
  return {
    count: experts.count,
    async read(expert) {
      const mlp = await experts.read(expert);
      return { ...mlp, downProj: { data: await refitted[expert]!.read(), shape: mlp.downProj!.shape } };
    },
    release: async () => {
      for (const weight of refitted) await weight.remove();
      await experts.release?.();
    },
  };
}

const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value - b[i]!);

interface Change {
  readonly mlp: LayerWeights;
  /** What its down_proj gains. */
  readonly change: Float32Array;
  readonly routed: readonly TokenRoutes[];
  readonly missing: readonly Float32Array[];
}

/** Takes what an expert now writes in addition off what is missing. */
async function takeOff(
  { runner }: SublayerRequest,
  expert: number,
  { mlp, change, routed, missing }: Change,
): Promise<void> {
  const { downBias: _, ...matrices } = mlp;
  const gained = { ...matrices, downProj: { data: change, shape: mlp.downProj!.shape } };
  const { hiddenSize } = runner.spec;
  for (const [i, batch] of routed.entries()) {
    const tokens = tokensOf(expert, batch);
    const outputs = await expertOutputs(runner, gained, batch.normed, tokens);
    for (const [row, token] of tokens.entries()) {
      const weight = batch.weights[(token * batch.weights.length) / batch.count + expert]!;
      const rest = missing[i]!.subarray(token * hiddenSize, (token + 1) * hiddenSize);
      for (let j = 0; j < hiddenSize; j++) rest[j]! -= weight * outputs[row * hiddenSize + j]!;
    }
  }
}
