// The fine stage on one layer: statistics → ranking → kept neurons → recovered weights.

import { tensor } from "../compute/tensor.ts";
import type { LayerResult } from "../events/prune.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import type { StreamedLayer } from "../forward/run/layer-stream.ts";
import type { ProjectionInputs } from "../forward/run/project.ts";
import type { Criterion, MlpMatrices } from "../importance/criterion.ts";
import { complement } from "../linalg/gather.ts";
import type { Gemm } from "../linalg/gemm.ts";
import { nthRandom } from "../linalg/random.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { PruneOptions } from "../options/prune.ts";
import { recoveries } from "../recover/index.ts";
import { layerError } from "../recover/layer-error.ts";
import type { Sensed } from "../sensitivity/sensed.ts";
import { pruneNeurons } from "./neurons.ts";
import { type HalfStates, projectionStatistics } from "./projection-statistics.ts";

export interface PrunedLayer
  extends Pick<LayerResult, "kept" | "keptNeurons" | "totalNeurons" | "errorBefore" | "errorAfter"> {
  readonly weights: LayerWeights;
  /** What entered down_proj; undefined where it was not asked for, or is too much to be kept. */
  readonly inputs: ProjectionInputs | undefined;
  /** What each removal cost, in the criterion's unit; empty where neurons had been ranked before. */
  readonly costs: Float64Array;
}

export interface LayerJob extends HalfStates {
  readonly runner: LayerRunner;
  readonly gemm: Gemm;
  readonly options: PruneOptions;
  /** Neurons to keep. */
  readonly width: number;
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
    return { ...untouched(weights), kept: [], keptNeurons: 0, totalNeurons, errorBefore: 1, errorAfter: 1 };
  if (width === totalNeurons && target === undefined) return unchanged(weights, totalNeurons);
  const found = await projectionStatistics(runner, "mlp", layer, weights, job);
  const { moments: statistics, drift, heldOut, inputs } = found;
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
    ...(target && { drift, lossCovariance, heldOut }),
  };
  const recovered = await recoveries[options.recovery].recover(input, { gemm });
  collectGarbage();
  const cutOnly = await recoveries.none.recover(input, { gemm });
  return {
    weights: withBias(pruneNeurons(weights, kept, recovered.downProj), recovered.bias),
    kept: [...kept],
    inputs: inputs && { batches: inputs, kept },
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

const untouched = (weights: LayerWeights): Pick<PrunedLayer, "weights" | "inputs" | "costs"> => ({
  weights,
  inputs: undefined,
  costs: NO_COSTS,
});

function unchanged(weights: LayerWeights, totalNeurons: number): PrunedLayer {
  const kept = Array.from({ length: totalNeurons }, (_, neuron) => neuron);
  return { ...untouched(weights), kept, keptNeurons: totalNeurons, totalNeurons, errorBefore: 0, errorAfter: 0 };
}
