// The weights of one decoder layer, by what they do.
import { type Tensor, tensor } from "../compute/tensor.ts";
import type { Model } from "./model.ts";
import { type LayerRole, layerTensors } from "./tensor-names.ts";

/** f32 tensors; a role that the layer does not have is absent. */
export type LayerWeights = Partial<Record<LayerRole, Tensor<Float32Array>>>;

/** Reads decoder layer `index`, one tensor after the other. @throws {CompError} as `Model.read` */
export async function readLayer(model: Model, index: number): Promise<LayerWeights> {
  const weights: LayerWeights = {};
  for (const { role, name, shape } of layerTensors(model.spec, index))
    weights[role] = tensor(await model.read(name), shape);
  return weights;
}
