// Kept neurons → smaller MLP matrices.
import { tensor } from "../compute/tensor.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerRole } from "../model/spec/tensor-names.ts";
import { takeRows } from "./take-rows.ts";

/** Roles whose first dimension is the neuron. */
const NEURON_ROWS: readonly LayerRole[] = ["gateProj", "upProj", "gateBias", "upBias"];

/**
 * The layer with only the kept neurons.
 *
 * @param kept     ascending indices [k]
 * @param downProj recovered weights of the kept neurons, f32 [hiddenSize, k]
 */
export function pruneNeurons(weights: LayerWeights, kept: Int32Array, downProj: Float32Array): LayerWeights {
  const hiddenSize = weights.downProj!.shape[0]!;
  return {
    ...weights,
    ...takeRows(weights, NEURON_ROWS, kept),
    downProj: tensor(downProj, [hiddenSize, kept.length]),
  };
}
