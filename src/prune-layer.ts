// The fine stage on one layer: statistics → ranking → kept neurons → recovered weights.
import { nthRandom } from "./calibration/random.ts";
import { tensor } from "./compute/tensor.ts";
import type { LayerResult } from "./events/prune.ts";
import type { HiddenStates } from "./forward/hidden-states.ts";
import type { LayerRunner } from "./forward/layer-runner.ts";
import type { StreamedLayer } from "./forward/layer-stream.ts";
import type { Criterion, MlpMatrices, NeuronStatistics } from "./importance/criterion.ts";
import { complement } from "./linalg/gather.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { DecoderSpec, LayerSpec } from "./model/decoder-spec.ts";
import type { LayerWeights } from "./model/read-layer.ts";
import type { PruneOptions } from "./options/prune.ts";
import { pruneNeurons } from "./prune/neurons.ts";
import { recoveries } from "./recover/index.ts";
import { layerError } from "./recover/layer-error.ts";
import type { Sensed } from "./sensed.ts";

export interface PrunedLayer
  extends Pick<LayerResult, "kept" | "keptNeurons" | "totalNeurons" | "errorBefore" | "errorAfter"> {
  readonly weights: LayerWeights;
  /** What each removal cost, in the criterion's unit; empty where neurons had been ranked before. */
  readonly costs: Float64Array;
}

export interface LayerJob {
  readonly runner: LayerRunner;
  readonly gemm: Gemm;
  readonly options: PruneOptions;
  /** Neurons to keep. */
  readonly width: number;
  /** Hidden states of the calibration tokens between attention and MLP. */
  readonly states: HiddenStates;
  /** Those of the dense model after the half at hand, for a recovery that wants to come near them. */
  readonly target: HiddenStates | undefined;
  /** Whether tokens count by their scale (forward/token-scale.ts). */
  readonly scaled: boolean;
  readonly tokenCount: number;
  /** Gives back memory between the steps. */
  readonly collectGarbage: () => void;
  readonly criterion: Criterion;
  /** What the backward sweep found of this layer, for a criterion or a recovery that needs it. */
  readonly sensed: Sensed;
  /** Neurons in the order of their removal, where the allocation has ranked them already. */
  readonly order: Int32Array | undefined;
}

const NO_COSTS = new Float64Array(0);

/** Cuts the MLP of a layer to `width` neurons and recovers it. */
export async function pruneLayer({ index, layer, weights }: StreamedLayer, job: LayerJob): Promise<PrunedLayer> {
  const { runner, gemm, options, width, target, criterion, sensed, collectGarbage } = job;
  const totalNeurons = layer.intermediateSize;
  if (width === 0)
    return { weights, kept: [], keptNeurons: 0, totalNeurons, errorBefore: 1, errorAfter: 1, costs: NO_COSTS };
  if (width === totalNeurons && target === undefined) return unchanged(weights, totalNeurons);
  const { drift, ...statistics } = await neuronStatistics(runner, layer, weights, job);
  collectGarbage();
  const mlp = mlpMatrices(runner.spec, weights);
  const random = nthRandom(options.seed, index).nextFloat;
  const removed = totalNeurons - width;
  const { lossCovariance, ...others } = sensed;
  const felt = { ...statistics, ...others, ...(criterion.needsLossCovariance && lossCovariance && { lossCovariance }) };
  const { order, costs } =
    job.order || removed === 0
      ? { order: job.order ?? new Int32Array(0), costs: NO_COSTS }
      : await criterion.rank(mlp, felt, removed, { gemm, random });
  collectGarbage();
  const kept = complement(order.slice(0, removed).toSorted(), totalNeurons);
  const input = {
    ...statistics,
    downProj: mlp.downProj,
    hiddenSize: mlp.hiddenSize,
    kept,
    ridge: options.ridge,
    ...(target && { drift, lossCovariance }),
  };
  const recovered = await recoveries[options.recovery].recover(input, { gemm });
  collectGarbage();
  const cutOnly = await recoveries.none.recover(input, { gemm });
  return {
    weights: withBias(pruneNeurons(weights, kept, recovered.downProj), recovered.bias),
    kept: [...kept],
    costs,
    keptNeurons: width,
    totalNeurons,
    errorBefore: await layerError(gemm, statistics.gram, mlp.downProj, kept, cutOnly.downProj),
    errorAfter: await layerError(gemm, statistics.gram, mlp.downProj, kept, recovered.downProj, {
      ...statistics,
      bias: recovered.bias,
    }),
  };
}

/** Moments of the neurons' activations over states that stand between attention and MLP. */
export async function neuronStatistics(
  runner: LayerRunner,
  layer: LayerSpec,
  weights: LayerWeights,
  { states, target, scaled, tokenCount }: Pick<LayerJob, "states" | "target" | "scaled" | "tokenCount">,
): Promise<NeuronStatistics & { drift: Float32Array }> {
  const { gram, total, drift } = await runner.projectionSums("mlp", layer, weights, states, { scaled, target });
  return { gram: gram.data, mean: total.data.map((sum) => sum / tokenCount), tokenCount, drift: drift.data };
}

function withBias(weights: LayerWeights, bias: Float32Array | undefined): LayerWeights {
  if (bias === undefined) return weights;
  const before = weights.downBias?.data;
  return { ...weights, downBias: tensor(before ? bias.map((value, i) => value + before[i]!) : bias, [bias.length]) };
}

/** The matrices of a layer's MLP as criteria take them. */
export function mlpMatrices({ hiddenSize }: DecoderSpec, weights: LayerWeights): MlpMatrices {
  const [gateProj, upProj, downProj] = [weights.gateProj!.data, weights.upProj!.data, weights.downProj!.data];
  return { gateProj, upProj, downProj, hiddenSize, intermediateSize: downProj.length / hiddenSize };
}

function unchanged(weights: LayerWeights, totalNeurons: number): PrunedLayer {
  const kept = Array.from({ length: totalNeurons }, (_, neuron) => neuron);
  return { weights, kept, keptNeurons: totalNeurons, totalNeurons, errorBefore: 0, errorAfter: 0, costs: NO_COSTS };
}
