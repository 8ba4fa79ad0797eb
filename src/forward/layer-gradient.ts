// The backward pass of one decoder layer, derived from its forward graph.
import { differentiate } from "../compute/differentiate.ts";
import { Graph, type Value } from "../compute/graph.ts";
import { add, gemm, reshape, sum } from "../compute/operations/index.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import { attentionHalf, declareWeights, type LayerContext, mlpHalf } from "./decoder-layer.ts";
import { declarePosition } from "./layer-runner.ts";

/**
 * A graph that takes a layer's input x and the gradient `upstream` towards its output, and gives
 * - `towardsInput`: the gradient towards x [tokens, hiddenSize]
 * - `gram`, `total`: ZᵀZ and Σz of the MLP's neurons, added to what `gramBefore` and `totalBefore` bring
 * - `covariance`: Σ g gᵀ, g the gradient towards down_proj's output [hiddenSize, hiddenSize], added to `covarianceBefore`
 *
 * The layer has at least one of its halves; without an MLP `towardsInput` is all that there is.
 */
export function layerGradientGraph(context: LayerContext, weights: LayerWeights): Graph {
  const { spec, layer, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const upstream = graph.input("upstream", shape);
  const values = declareWeights(graph, weights);
  const middle =
    layer.numAttentionHeads === 0 ? x : attentionHalf(context, x, values, declarePosition(graph, context)).hidden;
  if (layer.intermediateSize === 0) {
    graph.output("towardsInput", differentiate(graph, [[middle, upstream]], [x])[0]!);
    return graph;
  }
  const { neurons, written, hidden } = mlpHalf(context, middle, values);
  const [towardsInput, towardsWritten] = differentiate(graph, [[hidden, upstream]], [x, written]);
  const m = layer.intermediateSize;
  const accumulate = (name: string, left: Value, size: number): void =>
    graph.output(name, gemm(left, left, { transA: true, addTo: graph.input(`${name}Before`, [size, size]) }));
  graph.output("towardsInput", towardsInput!);
  accumulate("gram", neurons, m);
  accumulate("covariance", towardsWritten!, spec.hiddenSize);
  graph.output("total", add(reshape(sum(neurons, [0]), [1, m]), graph.input("totalBefore", [1, m])));
  return graph;
}
