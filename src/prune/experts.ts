// The fine stage on a mixture of experts: each expert loses equally many neurons, chosen and made up for by what its own tokens say.
import { type ExpertTokens, expertStatistics } from "../forward/run/expert-statistics.ts";
import type { RoutedTokens } from "../forward/run/mixture.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import { allIndices, complement, gatherColumns } from "../linalg/gather.ts";
import { inMemory, type OutputProjection, type ProjectionStatistics } from "../linalg/projection.ts";
import { nthRandom } from "../linalg/random.ts";
import type { DecoderLayer, Experts, LayerWeight, LayerWeights } from "../model/read-layer.ts";
import { mixtureOf, resized, sharedWidth } from "../model/spec/parts.ts";
import type { LayerRole } from "../model/spec/roles.ts";
import { lostEnergy, outputEnergy } from "../recover/layer-error.ts";
import type { Recovered } from "../recover/recovery.ts";
import type { RunContext } from "../run-context.ts";
import { withInputMoments } from "./input-moments.ts";
import { takeNeurons } from "./neurons.ts";
import { routeAll, tokensFor, withPrior } from "./routed-tokens.ts";
import type { Choice, PrunedSublayer, SublayerRequest } from "./sublayer.ts";

/** The mixture of a layer cut to a width; its router is as it was, and nothing is aimed at but what the experts write. */
export async function pruneMixture(
  run: RunContext,
  layer: DecoderLayer,
  request: SublayerRequest,
): Promise<PrunedSublayer<Choice>> {
  const { intermediateSize: width } = request.sizes;
  const { intermediateSize: before, numExperts } = mixtureOf(layer.sizes)!;
  const smaller = resized(layer.sizes, { intermediateSize: width });
  const uncut = { choice: { inputs: allIndices(numExperts * width), costs: NO_COSTS }, inputs: undefined };
  if (width === 0) return { layer: { ...layer, sizes: smaller }, ...uncut, error: { before: 1, after: 1 } };
  if (width === before) return { layer, ...uncut, error: { before: 0, after: 0 } };
  const fisherFactor = await request.sensitivity.fisherFactor?.read();
  const cutter = new MlpCutter(run, request, fisherFactor);
  const routed = await routeAll(request, layer);
  const cuts: StoredCut[] = [];
  for (let expert = 0; expert < numExperts; expert++) {
    run.signal?.throwIfAborted();
    const tokens = routed.map((batch) => tokensFor(expert, numExperts, batch));
    const { weights, kept } = await cutter.cut(await layer.experts!.read(expert), tokens, before - width);
    cuts.push(await putAside(run, weights, kept));
    run.collectGarbage();
  }
  const shared = await cutShared(cutter, layer, routed, sharedWidth(mixtureOf(smaller)!));
  return {
    layer: { sizes: smaller, weights: { ...layer.weights, ...shared }, experts: cutExperts(layer.experts!, cuts) },
    choice: { inputs: inputsOf(cuts, before), costs: NO_COSTS },
    inputs: undefined,
    error: cutter.error,
  };
}

const NO_COSTS = new Float64Array(0);

interface CutMlp {
  readonly weights: LayerWeights;
  readonly kept: Int32Array;
}

/** Cuts the MLPs of one layer, each by its own tokens. */
class MlpCutter {
  readonly #run: RunContext;
  readonly #request: SublayerRequest;
  readonly #fisherFactor: Float32Array | undefined;
  readonly #random: () => number;
  /** Σ ‖y‖² of what the experts write, and of what cutting and refitting leave of it undone. */
  #energy = 0;
  #lost = 0;
  #left = 0;

  constructor(run: RunContext, request: SublayerRequest, fisherFactor: Float32Array | undefined) {
    this.#run = run;
    this.#request = request;
    this.#fisherFactor = fisherFactor;
    this.#random = nthRandom(request.method.seed, request.index).nextFloat;
  }

  /** ‖Y − Ŷ‖ / ‖Y‖ over all experts and their tokens, cut only and recovered. */
  get error(): { readonly before: number; readonly after: number } {
    const relative = (square: number): number => (square === 0 ? 0 : Math.sqrt(square / this.#energy));
    return { before: relative(this.#lost), after: relative(this.#left) };
  }

  async cut(mlp: LayerWeights, batches: readonly ExpertTokens[], removed: number): Promise<CutMlp> {
    const { gemm } = this.#run;
    const { method, runner } = this.#request;
    const { data: weight, shape } = mlp.downProj!;
    const [outputSize, inputSize] = shape as [number, number];
    const projection = { weight, inputSize, outputSize };
    const { entries, ...seen } = await expertStatistics(runner, mlp, batches);
    const statistics = {
      ...seen,
      gram: withPrior(seen.gram, inputSize, seen.tokenCount),
      fisherFactor: this.#fisherFactor,
    };
    const ranked = await method.criterion.rank(projection, statistics, removed, { gemm, random: this.#random });
    const kept = complement(ranked.order.slice(0, removed).toSorted(), inputSize);
    const recovered = await method.recovery.recover(projection, inMemory(statistics), kept, {
      gemm,
      ridge: method.ridge,
    });
    if (seen.tokenCount > 0) await this.#addError(projection, seen, kept, recovered);
    const weights = takeNeurons(mlp, kept, recovered);
    const moments = { gram: statistics.gram, kept, entries: method.importance === "all" ? entries : undefined };
    return { weights: method.importance === "none" ? weights : withInputMoments("mlp", weights, moments), kept };
  }

  async #addError(
    projection: OutputProjection,
    statistics: ProjectionStatistics,
    kept: Int32Array,
    recovered: Recovered,
  ): Promise<void> {
    const { gemm } = this.#run;
    const cutOnly = { weight: gatherColumns(projection.weight, projection.inputSize, kept) };
    this.#energy += await outputEnergy(gemm, statistics.gram, projection.weight);
    this.#lost += await lostEnergy(gemm, projection, statistics, kept, cutOnly);
    this.#left += await lostEnergy(gemm, projection, statistics, kept, recovered);
  }
}

/** The shared expert, where it is as wide as some of the others together; all tokens go to it. */
async function cutShared(
  cutter: MlpCutter,
  { sizes, weights }: DecoderLayer,
  routed: readonly RoutedTokens[],
  width: number,
): Promise<LayerWeights> {
  const removed = sharedWidth(mixtureOf(sizes)!) - width;
  if (removed === 0) return {};
  const { sharedGate, sharedUp, sharedDown } = weights;
  const batches = routed.map(({ normed, count }) => ({
    normed,
    tokens: allIndices(count),
    weights: new Float32Array(count).fill(1),
  }));
  const mlp = { gateProj: sharedGate!, upProj: sharedUp!, downProj: sharedDown! };
  const { gateProj, upProj, downProj } = (await cutter.cut(mlp, batches, removed)).weights;
  return { sharedGate: gateProj!, sharedUp: upProj!, sharedDown: downProj! };
}

/** What is not in the source of an expert that was cut. */
interface StoredCut {
  readonly kept: Int32Array;
  /** Its down_proj, put aside. */
  readonly down: StoredArray;
  readonly bias: LayerWeight | undefined;
  /** Of its matrices, how much errors of rounding in their columns count. */
  readonly moments: Readonly<Partial<Record<LayerRole, Float32Array>>>;
}

async function putAside({ scratch }: RunContext, weights: LayerWeights, kept: Int32Array): Promise<StoredCut> {
  const moments = Object.entries(weights).flatMap(([role, { inputMoments }]) =>
    inputMoments === undefined ? [] : [[role, inputMoments] as const],
  );
  const down = await scratch.put(weights.downProj!.data);
  return { kept, down, bias: weights.downBias, moments: Object.fromEntries(moments) };
}

/** Experts of which the source has everything but the refitted projections. */
const cutExperts = (source: Experts, cuts: readonly StoredCut[]): Experts => ({
  count: cuts.length,
  async read(expert) {
    const { kept, down, bias, moments } = cuts[expert]!;
    const weights = takeNeurons(await source.read(expert), kept, { weight: await down.read() });
    const all: LayerWeights = { ...weights, ...(bias && { downBias: bias }) };
    for (const [role, inputMoments] of Object.entries(moments))
      all[role as LayerRole] = { ...all[role as LayerRole]!, inputMoments };
    return all;
  },
  release: async () => {
    for (const { down } of cuts) await down.remove();
    await source.release?.();
  },
});

/** The neurons that stay, counted through all experts. */
const inputsOf = (cuts: readonly StoredCut[], width: number): Int32Array =>
  Int32Array.from(cuts.flatMap(({ kept }, expert) => [...kept].map((neuron) => expert * width + neuron)));
