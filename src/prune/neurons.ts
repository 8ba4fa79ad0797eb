// Kept neurons → smaller MLP matrices.
import { type Tensor, tensor } from "../compute/tensor.ts";
import { gatherRows } from "../linalg/gather.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerRole } from "../model/tensor-names.ts";

/** Roles whose first dimension is the neuron. */
const NEURON_ROWS: readonly LayerRole[] = ["gateProj", "upProj", "gateBias", "upBias"];

/**
 * The layer with only the kept neurons.
 *
 * @param kept     ascending indices [k]
 * @param downProj recovered weights of the kept neurons, f32 [hiddenSize, k]
 */
export function pruneNeurons(weights: LayerWeights, kept: Int32Array, downProj: Float32Array): LayerWeights {
  const rows = NEURON_ROWS.flatMap((role) => (weights[role] ? [[role, takeRows(weights[role], kept)] as const] : []));
  const hiddenSize = weights.downProj!.shape[0]!;
  return { ...weights, ...Object.fromEntries(rows), downProj: tensor(downProj, [hiddenSize, kept.length]) };
}

function takeRows({ data, shape }: Tensor<Float32Array>, kept: Int32Array): Tensor<Float32Array> {
  return tensor(gatherRows(data, data.length / shape[0]!, kept), shape.with(0, kept.length));
}
