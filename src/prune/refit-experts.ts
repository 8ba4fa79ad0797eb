// What experts that stay make up for when others are gone: each is refitted on the tokens that it now gets, one after the other, to
// what is still missing.
import { type ExpertTokens, expertStatistics } from "../forward/run/expert-statistics.ts";
import { expertOutputs, type TokenRoutes, tokensOf } from "../forward/run/mixture.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import { allIndices } from "../linalg/gather.ts";
import { matrix } from "../linalg/gemm.ts";
import { difference } from "../linalg/projection.ts";
import type { DecoderLayer, Experts, LayerWeights } from "../model/read-layer.ts";
import { refitColumns } from "../recover/least-squares.ts";
import type { RunContext } from "../run-context.ts";
import { tokensFor, withPrior } from "./routed-tokens.ts";
import type { SublayerRequest } from "./sublayer.ts";

export interface ExpertRefit {
  readonly request: SublayerRequest;
  /** What should be written in addition, batch by batch, f32 [count, hiddenSize]; becomes what still is afterwards. */
  readonly missing: readonly Float32Array[];
}

/** Rounds over the experts: what one makes up for, those before it need not. */
const ROUNDS = 2;

/** Experts whose down_proj aims at what is missing. */
export async function refitExperts(
  run: RunContext,
  layer: DecoderLayer,
  routed: readonly TokenRoutes[],
  refit: ExpertRefit,
): Promise<Experts> {
  const experts = layer.experts!;
  const changes: StoredArray[] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (let expert = 0; expert < experts.count; expert++) {
      run.signal?.throwIfAborted();
      const mlp = await experts.read(expert);
      const last = await changes[expert]?.take();
      const change = await changeOf(run, { mlp, last }, tokensOfExpert(expert, routed, refit), refit);
      await takeOff(refit.request, expert, { mlp, change: last ? difference(change, last) : change, routed, refit });
      changes[expert] = await run.scratch.put(change);
      run.collectGarbage();
    }
  return {
    count: experts.count,
    async read(expert) {
      const mlp = await experts.read(expert);
      const { data, shape } = mlp.downProj!;
      const change = await changes[expert]!.read();
      return { ...mlp, downProj: { data: data.map((value, i) => value + change[i]!), shape } };
    },
    release: async () => {
      for (const change of changes) await change.remove();
      await experts.release?.();
    },
  };
}

const tokensOfExpert = (
  expert: number,
  routed: readonly TokenRoutes[],
  { missing }: ExpertRefit,
): (ExpertTokens & { readonly missing: Float32Array })[] =>
  routed.map((batch, i) => ({
    ...tokensFor(expert, batch.weights.length / batch.count, batch),
    missing: missing[i]!,
  }));

/** What down_proj of an expert gains when it is refitted, of which it has `last` already. f32 [outputSize, inputSize] */
async function changeOf(
  { gemm }: RunContext,
  { mlp, last }: { readonly mlp: LayerWeights; readonly last: Float32Array | undefined },
  batches: readonly ExpertTokens[],
  { request: { runner, method } }: ExpertRefit,
): Promise<Float32Array> {
  const { data: weight, shape } = mlp.downProj!;
  const [outputSize, inputSize] = shape as [number, number];
  const seen = await expertStatistics(runner, mlp, batches);
  if (last) {
    // what it writes already is not missing, and counts as what the old weights lack
    const drift = matrix(outputSize, inputSize, seen.drift!);
    await gemm(matrix(outputSize, inputSize, last), matrix(inputSize, inputSize, seen.gram), {}, drift);
  }
  const gram = withPrior(seen.gram, inputSize, seen.tokenCount);
  const statistics = { gram: async () => gram, drift: async () => seen.drift! };
  const projection = { weight, inputSize, outputSize };
  const context = { gemm, ridge: method.ridge };
  return difference(await refitColumns(projection, statistics, allIndices(inputSize), context), weight);
}

interface Change {
  readonly mlp: LayerWeights;
  /** What its down_proj gains. */
  readonly change: Float32Array;
  readonly routed: readonly TokenRoutes[];
  readonly refit: ExpertRefit;
}

/** Takes what an expert now writes in addition off what is missing. */
async function takeOff(
  { runner }: SublayerRequest,
  expert: number,
  { mlp, change, routed, refit: { missing } }: Change,
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
