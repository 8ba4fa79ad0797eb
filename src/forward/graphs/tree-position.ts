// What tells an attention where the tokens of trees stand: as `position.ts` for windows, but for each tree its own tables.
import type { Graph, Value } from "../../compute/graph.ts";
import { tensor } from "../../compute/tensor.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { attentionOf, type LayerSpec } from "../../model/spec/parts.ts";
import { type RopeSpec, rotaryTable } from "../../model/spec/rope.ts";
import { isAncestor, type TreeBatch } from "../../model/spec/token-trees.ts";
import { growthAt, HIDDEN, type Position, type PositionTensors } from "./position.ts";

/** Declares the position of trees as inputs of a graph: it takes `treePosition`. */
export function declareTreePosition(
  graph: Graph,
  { rotarySize, queryGrowth }: DecoderSpec,
  layer: LayerSpec,
  { batch, length }: Pick<TreeBatch, "batch" | "length">,
): Position {
  const attention = attentionOf(layer);
  if (attention === undefined) return {};
  const table = (name: string): Value => graph.input(name, [batch, 1, length, rotarySize]);
  return {
    ...(attention.rope && { cos: table("cos"), sin: table("sin") }),
    ...(queryGrowth && { growth: graph.input("growth", [batch, 1, length, 1]) }),
    mask: graph.input("mask", [batch, 1, 1, length, length]),
  };
}

/** Each token sees itself and what stands before it in its own text, limited by the layer's sliding window. */
export function treePosition(
  { rotarySize, queryGrowth }: DecoderSpec,
  layer: LayerSpec,
  trees: TreeBatch,
): PositionTensors {
  const attention = attentionOf(layer);
  if (attention === undefined) return {};
  const { batch, length, positions } = trees;
  return {
    ...(attention.rope && rotaryTables(attention.rope, rotarySize, trees)),
    ...(queryGrowth && { growth: tensor(growthAt(queryGrowth, positions), [batch, 1, length, 1]) }),
    mask: tensor(mask(trees, attention.slidingWindow ?? Number.POSITIVE_INFINITY), [batch, 1, 1, length, length]),
  };
}

/** Frequencies may follow the length of a text: here that of the longest in the tree. */
function rotaryTables(
  rope: RopeSpec,
  size: number,
  { batch, length, positions }: TreeBatch,
): Pick<PositionTensors, "cos" | "sin"> {
  const shape = [batch, 1, length, size];
  const [cos, sin] = [new Float32Array(batch * length * size), new Float32Array(batch * length * size)];
  for (let tree = 0; tree < batch; tree++) {
    const own = positions.subarray(tree * length, (tree + 1) * length);
    const table = rotaryTable(rope, size, [...Array(Math.max(...own) + 1).keys()]);
    own.forEach((position, i) => {
      const [from, to] = [position * size, (tree * length + i) * size];
      cos.set(table.cos.data.subarray(from, from + size), to);
      sin.set(table.sin.data.subarray(from, from + size), to);
    });
  }
  return { cos: tensor(cos, shape), sin: tensor(sin, shape) };
}

function mask({ batch, length, owners, positions }: TreeBatch, reach: number): Float32Array {
  const data = new Float32Array(batch * length * length).fill(HIDDEN);
  for (let tree = 0; tree < batch; tree++) {
    const start = tree * length;
    const [own, at] = [owners.subarray(start, start + length), positions.subarray(start, start + length)];
    for (let query = 0; query < length; query++)
      for (let key = 0; key <= query; key++)
        if (isAncestor(own, query, key) && at[query]! - at[key]! < reach) data[(start + query) * length + key] = 0;
  }
  return data;
}
