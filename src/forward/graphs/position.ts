// What tells an attention where its tokens stand: rotary tables, masks, and the growth of queries with their position.
import type { Graph, Value } from "../../compute/graph.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { attentionOf, type LayerSpec } from "../../model/spec/parts.ts";
import { rotaryTable } from "../../model/spec/rope.ts";

/** Added to the score of a key that must not be seen: its softmax weight is exactly 0 in f32. */
export const HIDDEN = -1e9;

/** As tensors or as values of a graph. */
interface PositionOf<T> {
  readonly cos?: T; // [length, rotarySize], where the layer rotates
  readonly sin?: T; // [length, rotarySize], where the layer rotates
  /** Factors of queries, where they grow. [length, 1] */
  readonly growth?: T;
  /** Added to the scores: 0 where a query may look, very negative where not. [length, keys] */
  readonly mask?: T;
}

export type Position = PositionOf<Value>;
/** Empty for a mixer that is no attention. */
export type PositionTensors = PositionOf<Tensor>;

/** Declares the position of `length` tokens, which look at `keys` tokens, as inputs of a graph: it takes `PositionTensors`. */
export function declarePosition(
  graph: Graph,
  { rotarySize, queryGrowth }: DecoderSpec,
  layer: LayerSpec,
  length: number,
  keys: number = length,
): Position {
  const attention = attentionOf(layer);
  if (attention === undefined) return {};
  const table = (name: string): Value => graph.input(name, [length, rotarySize]);
  return {
    ...(attention.rope && { cos: table("cos"), sin: table("sin") }),
    ...(queryGrowth && { growth: graph.input("growth", [length, 1]) }),
    mask: graph.input("mask", [length, keys]),
  };
}

/** Causal attention within windows that start at position 0, limited by the layer's sliding window. */
export const windowPosition = (spec: DecoderSpec, layer: LayerSpec, length: number): PositionTensors =>
  positionOf(
    spec,
    layer,
    { start: 0, length, keys: length },
    (query, key, reach) => key <= query && query - key < reach,
  );

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
  return positionOf(spec, layer, { start, length, keys: capacity + length }, (query, key, reach) => {
    if (key >= capacity) return key - capacity <= query && query - (key - capacity) < reach;
    return key < start && start + query - key < reach;
  });
}

/** Tokens that stand one after the other, and how many keys they look at. */
interface Span {
  readonly start: number;
  readonly length: number;
  readonly keys: number;
}

function positionOf(
  { rotarySize, queryGrowth }: DecoderSpec,
  layer: LayerSpec,
  { start, length, keys }: Span,
  visible: (query: number, key: number, reach: number) => boolean,
): PositionTensors {
  const attention = attentionOf(layer);
  if (attention === undefined) return {};
  const positions = Array.from({ length }, (_, i) => start + i);
  const reach = attention.slidingWindow ?? Number.POSITIVE_INFINITY;
  return {
    ...(attention.rope && rotaryTable(attention.rope, rotarySize, positions)),
    ...(queryGrowth && { growth: tensor(growthAt(queryGrowth, positions), [length, 1]) }),
    mask: mask(length, keys, (query, key) => visible(query, key, reach)),
  };
}

/** The factors of queries at some positions. */
export const growthAt = (
  { beta, original }: NonNullable<DecoderSpec["queryGrowth"]>,
  positions: Iterable<number>,
): Float32Array => Float32Array.from(positions, (p) => 1 + beta * Math.log(1 + Math.floor(p / original)));

function mask(queries: number, keys: number, visible: (query: number, key: number) => boolean): Tensor {
  const data = new Float32Array(queries * keys);
  for (let query = 0; query < queries; query++) {
    for (let key = 0; key < keys; key++) if (!visible(query, key)) data[query * keys + key] = HIDDEN;
  }
  return tensor(data, [queries, keys]);
}
