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
 * - `attentionCovariance`: the same at o_proj's output
 *
 * The layer has at least one of its halves; what belongs to the other is absent.
 */
export function layerGradientGraph(context: LayerContext, weights: LayerWeights): Graph {
  const { spec, layer, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const upstream = graph.input("upstream", shape);
  const values = declareWeights(graph, weights);
  const attention =
    layer.numAttentionHeads === 0 ? undefined : attentionHalf(context, x, values, declarePosition(graph, context));
  const middle = attention?.hidden ?? x;
  const mlp = layer.intermediateSize === 0 ? undefined : mlpHalf(context, middle, values);
  const wanted = [x, ...[attention, mlp].flatMap((half) => (half ? [half.written] : []))];
  const gradients = differentiate(graph, [[mlp?.hidden ?? middle, upstream]], wanted);
  const m = layer.intermediateSize;
  const accumulate = (name: string, left: Value, size: number): void =>
    graph.output(name, gemm(left, left, { transA: true, addTo: graph.input(`${name}Before`, [size, size]) }));
  graph.output("towardsInput", gradients[0]!);
  if (attention) accumulate("attentionCovariance", gradients[1]!, spec.hiddenSize);
  if (mlp === undefined) return graph;
  const { neurons } = mlp;
  accumulate("gram", neurons, m);
  accumulate("covariance", gradients.at(-1)!, spec.hiddenSize);
  graph.output("total", add(reshape(sum(neurons, [0]), [1, m]), graph.input("totalBefore", [1, m])));
  return graph;
}
