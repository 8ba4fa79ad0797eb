// Rotary tables and attention masks as tensors.
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { DecoderSpec, LayerSpec } from "../../model/spec/decoder-spec.ts";
import { type RotaryTable, rotaryTable } from "../../model/spec/rope.ts";

/** Added to the score of a key that must not be seen: its softmax weight is exactly 0 in f32. */
const HIDDEN = -1e9;

export interface PositionTensors {
  readonly cos: Tensor; // [length, headDim]
  readonly sin: Tensor; // [length, headDim]
  readonly mask: Tensor; // [length, keys]
}

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
