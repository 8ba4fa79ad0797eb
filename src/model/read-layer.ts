// The weights of one decoder layer, by what they do.
import { elementCount, type Tensor, tensor } from "../compute/tensor.ts";
import type { Model } from "./model.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";
import { type LayerRole, layerTensors } from "./spec/tensor-names.ts";

/** f32 tensors; a role that the layer does not have is absent. */
export type LayerWeights = Partial<Record<LayerRole, Tensor<Float32Array>>>;

/** The layer with zeros for the biases that it lacks and layer `index` of `spec` has. */
export function withZeroBiases(weights: LayerWeights, spec: DecoderSpec, index: number): LayerWeights {
  const missing = layerTensors(spec, index).filter(({ role }) => weights[role] === undefined);
  const zeros = missing.map(({ role, shape }) => [role, tensor(new Float32Array(elementCount(shape)), shape)] as const);
  return { ...weights, ...Object.fromEntries(zeros) };
}

/** Reads decoder layer `index`, one tensor after the other. @throws {CompError} as `Model.read` */
export async function readLayer(model: Model, index: number): Promise<LayerWeights> {
  const weights: LayerWeights = {};
  for (const { role, name, shape } of layerTensors(model.spec, index))
    weights[role] = tensor(await model.read(name), shape);
  return weights;
}
