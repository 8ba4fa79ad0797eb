// Parameter counts by part. A head that is tied to the embedding is counted once.
import { elementCount } from "../../compute/tensor.ts";
import type { DecoderSpec } from "./decoder-spec.ts";
import type { Part } from "./roles.ts";
import { type ExpectedTensor, layerTensors, modelTensors } from "./tensor-names.ts";

export interface ParameterCounts {
  /** Of the whole model; biases belong to their part, the final norm to the norms. */
  readonly parts: Readonly<Record<Part, number>>;
  readonly total: number;
  /** Matrices of all decoder layers, without norms and biases: what most papers count. */
  readonly decoderMatrices: number;
  readonly layers: readonly LayerCounts[];
}

export interface LayerCounts {
  readonly attention: number;
  readonly mlp: number;
  readonly norms: number;
  readonly total: number;
  /** Without norms and biases. */
  readonly matrices: number;
}

/** How many parameters a decoder has, and where. */
export function countParameters(spec: DecoderSpec): ParameterCounts {
  const tensors = modelTensors(spec);
  const layers = spec.layers.map((_, index) => countLayer(spec, index));
  return {
    parts: {
      embeddings: countPart(tensors, "embeddings"),
      attention: countPart(tensors, "attention"),
      mlp: countPart(tensors, "mlp"),
      norms: countPart(tensors, "norms"),
      head: countPart(tensors, "head"),
    },
    total: count(tensors),
    decoderMatrices: layers.reduce((sum, layer) => sum + layer.matrices, 0),
    layers,
  };
}

/** How many parameters a layer has. */
export function countLayer(spec: DecoderSpec, index: number): LayerCounts {
  const tensors = layerTensors(spec, index);
  return {
    attention: countPart(tensors, "attention"),
    mlp: countPart(tensors, "mlp"),
    norms: countPart(tensors, "norms"),
    total: count(tensors),
    matrices: count(tensors.filter(({ shape }) => shape.length > 1)),
  };
}

/** The most parameters of a layer that are in memory at once: of a mixture of experts one of them is read at a time. */
export const largestLayer = (spec: DecoderSpec): number =>
  Math.max(
    ...spec.layers.map((_, index) =>
      layerTensors(spec, index).reduce((sum, { shape, experts = 1 }) => sum + elementCount(shape) / experts, 0),
    ),
  );

const count = (tensors: readonly ExpectedTensor[]): number =>
  tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);

const countPart = (tensors: readonly ExpectedTensor[], part: Part): number =>
  count(tensors.filter((tensor) => tensor.part === part));
