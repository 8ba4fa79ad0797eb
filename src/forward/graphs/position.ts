// Rotary tables and attention masks as tensors.
import type { Graph, Value } from "../../compute/graph.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { DecoderSpec, LayerSpec } from "../../model/spec/decoder-spec.ts";
import { type RotaryTable, rotaryTable } from "../../model/spec/rope.ts";

/** Added to the score of a key that must not be seen: its softmax weight is exactly 0 in f32. */
const HIDDEN = -1e9;

/** What tells an attention where its tokens stand, as tensors or as values of a graph. */
interface PositionOf<T> {
  readonly cos: T; // [length, headDim]
  readonly sin: T; // [length, headDim]
  /** Added to the scores: 0 where a query may look, very negative where not. [length, keys] */
  readonly mask: T;
}

export type Position = PositionOf<Value>;
export type PositionTensors = PositionOf<Tensor>;

/** Declares the position of `length` tokens, which look at `keys` tokens, as inputs of a graph: it takes `PositionTensors`. */
export const declarePosition = (
  graph: Graph,
  { headDim }: DecoderSpec,
  length: number,
  keys: number = length,
): Position => ({
  cos: graph.input("cos", [length, headDim]),
  sin: graph.input("sin", [length, headDim]),
  mask: graph.input("mask", [length, keys]),
});

/** Causal attention within windows that start at position 0, limited by the layer's sliding window. */
export function windowPosition(spec: DecoderSpec, layer: LayerSpec, length: number): PositionTensors {
  return {
    ...rotation(spec, layer, 0, length),
    mask: mask(
      length,
      length,
      (query, key) => key <= query && query - key < (layer.slidingWindow ?? Number.POSITIVE_INFINITY),
    ),
  };
}

/**
 * Tokens `start` to `start + length − 1` after a cache of `capacity` slots, of which the first `start` are filled.
 * Keys are the cache's slots followed by the new tokens.
 */
export function cachedPosition(
  spec: DecoderSpec,
  layer: LayerSpec,
  start: number,
  length: number,
  capacity: number,
): PositionTensors {
  const reach = layer.slidingWindow ?? Number.POSITIVE_INFINITY;
  const visible = (query: number, key: number): boolean => {
    if (key >= capacity) return key - capacity <= query && query - (key - capacity) < reach;
    return key < start && start + query - key < reach;
  };
  return { ...rotation(spec, layer, start, length), mask: mask(length, capacity + length, visible) };
}

function rotation(spec: DecoderSpec, layer: LayerSpec, start: number, length: number): RotaryTable {
  return rotaryTable(
    layer.rope,
    spec.headDim,
    Array.from({ length }, (_, i) => start + i),
  );
}

function mask(queries: number, keys: number, visible: (query: number, key: number) => boolean): Tensor {
  const data = new Float32Array(queries * keys);
  for (let query = 0; query < queries; query++) {
    for (let key = 0; key < keys; key++) if (!visible(query, key)) data[query * keys + key] = HIDDEN;
  }
  return tensor(data, [queries, keys]);
}
