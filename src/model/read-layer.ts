// One decoder layer of a model: its sizes, and its weights by what they do.
import { elementCount, type Tensor, tensor } from "../compute/tensor.ts";
import { allIndices, gatherRows } from "../linalg/gather.ts";
import type { Model } from "./model.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";
import type { LayerIndex, LayerPosition } from "./spec/layer-index.ts";
import { type LayerSpec, mixtureOf } from "./spec/parts.ts";
import { LAYER_ROLES, type LayerRole } from "./spec/roles.ts";
import { type ExpectedTensor, layerTensors } from "./spec/tensor-names.ts";

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

/** The experts of a mixture, of which one at a time need be in memory. */
export interface Experts {
  readonly count: number;
  /** The weights of one, under the roles that they have in an MLP. */
  read(expert: number): Promise<LayerWeights>;
  /** Gives back what they took outside of memory; they can no longer be read. */
  readonly release?: (() => Promise<void>) | undefined;
}

export interface DecoderLayer {
  readonly sizes: LayerSpec;
  /** Those of experts excepted. */
  readonly weights: LayerWeights;
  /** Where the layer is a mixture of experts. */
  readonly experts?: Experts | undefined;
}

/**
 * Reads a decoder layer, one tensor after the other; its experts are read when they are asked for.
 *
 * @param wanted which of its weights; all of them by default
 * @throws {CompError} as `Model.read`
 */
export async function readLayer(
  model: Model,
  index: LayerIndex,
  wanted: (role: LayerRole) => boolean = () => true,
): Promise<DecoderLayer> {
  const weights: LayerWeights = {};
  const tensors = layerTensors(model.spec, index);
  for (const { role, name, shape, experts } of tensors)
    if (experts === undefined && wanted(role))
      weights[role] = { ...tensor(await model.read(name), shape), source: { name, rows: allIndices(shape[0]!) } };
  const sizes = model.spec.layers[index]!;
  const mixture = mixtureOf(sizes);
  return { sizes, weights, ...(mixture && { experts: storedExperts(model, mixture.numExperts, tensors) }) };
}

/** Lets go of the weights that the source has as they are; what it returns gives all of them again. */
export const putOff = (model: Model, weights: LayerWeights): (() => Promise<LayerWeights>) =>
  readingAll(Object.keys(weights).map((role) => [role, weightPutOff(model, weights[role as LayerRole]!)] as const));

/** Closures of one function hold what any of them names: those that outlive the weights are made where no weight is named. */
const readingAll =
  (waiting: readonly (readonly [role: string, read: () => Promise<LayerWeight>])[]) =>
  async (): Promise<LayerWeights> => {
    const read: LayerWeights = {};
    for (const [role, weight] of waiting) read[role as LayerRole] = await weight();
    return read;
  };

function weightPutOff(model: Model, weight: LayerWeight): () => Promise<LayerWeight> {
  const { data: _, source, ...others } = weight;
  return source === undefined ? holding(weight) : readingRows(model, source, others);
}

const holding = (weight: LayerWeight) => async (): Promise<LayerWeight> => weight;

const readingRows =
  (model: Model, source: SourceRows, others: Omit<LayerWeight, "data" | "source">) =>
  async (): Promise<LayerWeight> => {
    const first = source.rows.reduce((least, row) => Math.min(least, row), source.rows[0] ?? 0);
    const end = source.rows.reduce((most, row) => Math.max(most, row + 1), first);
    const data = await model.readRows(source.name, first, end);
    const isWhole = source.rows.length === end - first; // ascending, each once
    const rows = source.rows.map((row) => row - first);
    const own = isWhole ? data : gatherRows(data, data.length / (end - first), rows);
    return { ...others, data: own, source };
  };

/** Experts as a model has them, each a part of every tensor that holds some of all of them. */
function storedExperts(model: Model, count: number, tensors: readonly ExpectedTensor<LayerRole>[]): Experts {
  const ofAll = tensors.filter(({ experts }) => experts !== undefined);
  return {
    count,
    async read(expert) {
      const weights: LayerWeights = {};
      for (const { role, name, shape } of ofAll) {
        const height = shape[0]! / count;
        const [start, end] = [expert * height, (expert + 1) * height];
        const rows = allIndices(height).map((row) => start + row);
        const own = tensor(await model.readRows(name, start, end), shape.with(0, height));
        weights[LAYER_ROLES[role].ofExpert!] = { ...own, source: { name, rows } };
      }
      return weights;
    },
  };
}

/** The weights with zeros for the biases that they lack and the layer at `position` of the pruned model has. */
export function withZeroBiases(weights: LayerWeights, pruned: DecoderSpec, position: LayerPosition): LayerWeights {
  const missing = layerTensors(pruned, position).filter(
    ({ role, experts }) => weights[role] === undefined && experts === undefined,
  );
  const zeros = missing.map(({ role, shape }) => [role, tensor(new Float32Array(elementCount(shape)), shape)] as const);
  return { ...weights, ...Object.fromEntries(zeros) };
}
