// One decoder layer of a model: its sizes, and its weights by what they do.
import { elementCount, type Tensor, tensor } from "../compute/tensor.ts";
import { allIndices } from "../linalg/gather.ts";
import type { Model } from "./model.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";
import type { LayerIndex, LayerPosition } from "./spec/layer-index.ts";
import type { LayerSpec } from "./spec/parts.ts";
import type { LayerRole } from "./spec/roles.ts";
import { layerTensors } from "./spec/tensor-names.ts";

/** Rows of a tensor of the source, as they are there. */
export interface SourceRows {
  /** The tensor's name in the source's model. */
  readonly name: string;
  readonly rows: Int32Array;
}

export interface LayerWeight extends Tensor<Float32Array> {
  /** What its rows are in the source; absent once values have changed. */
  readonly source?: SourceRows;
  /** Σ x² of each of its inputs over calibration tokens, f32 [inputs]: how much errors of rounding in a column count. */
  readonly inputMoments?: Float32Array;
}

/** f32 tensors; a role that the layer does not have is absent. */
export type LayerWeights = Partial<Record<LayerRole, LayerWeight>>;

export interface DecoderLayer {
  readonly sizes: LayerSpec;
  readonly weights: LayerWeights;
}

/** Reads a decoder layer, one tensor after the other. @throws {CompError} as `Model.read` */
export async function readLayer(model: Model, index: LayerIndex): Promise<DecoderLayer> {
  const weights: LayerWeights = {};
  for (const { role, name, shape } of layerTensors(model.spec, index))
    weights[role] = { ...tensor(await model.read(name), shape), source: { name, rows: allIndices(shape[0]!) } };
  return { sizes: model.spec.layers[index]!, weights };
}

/** The weights with zeros for the biases that they lack and the layer at `position` of the pruned model has. */
export function withZeroBiases(weights: LayerWeights, pruned: DecoderSpec, position: LayerPosition): LayerWeights {
  const missing = layerTensors(pruned, position).filter(({ role }) => weights[role] === undefined);
  const zeros = missing.map(({ role, shape }) => [role, tensor(new Float32Array(elementCount(shape)), shape)] as const);
  return { ...weights, ...Object.fromEntries(zeros) };
}
