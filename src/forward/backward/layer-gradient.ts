// The backward pass of one decoder layer, derived from its forward graph.
import { differentiate } from "../../compute/differentiate.ts";
import { Graph } from "../../compute/graph.ts";
import { mul, reciprocal } from "../../compute/operations/index.ts";
import { addGram, addTotal } from "../../compute/running-sums.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import { declareWeights, type LayerContext, wholeLayer } from "../graphs/decoder-layer.ts";
import { tokenScale } from "../graphs/token-scale.ts";
import { declarePosition } from "../run/layer-runner.ts";

/**
 * A graph that takes a layer's input x and the gradient `upstream` towards its output, and gives
 * - `towardsInput`: the gradient towards x [tokens, hiddenSize]
 * - with `inputs` `gram`, `total`: Σ z zᵀ / u² and Σ z of the MLP's neurons z, added to what there is (compute/running-sums.ts)
 * - `covariance`: Σ u² g gᵀ, g the gradient towards down_proj's output [hiddenSize, hiddenSize], likewise
 * - with `heads` the same of o_proj: `headGram`, `headTotal`, `headCovariance`
 *
 * u is the scale of a token where norms follow the projections (token-scale.ts), else 1. The layer has at least one of its halves; there is nothing of one that is absent.
 */
export function layerGradientGraph(
  context: LayerContext,
  weights: LayerWeights,
  { heads, inputs }: WantedMoments,
): Graph {
  const { spec, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const upstream = graph.input("upstream", shape);
  const values = declareWeights(graph, weights);
  const { attention, mlp, hidden } = wholeLayer(context, x, values, () => declarePosition(graph, context));
  const present = [
    ...(mlp ? [{ names: SUMS.mlp, input: mlp.neurons, half: mlp }] : []),
    ...(attention && heads ? [{ names: SUMS.heads, input: attention.heads, half: attention }] : []),
  ];
  const wanted = [x, ...present.map(({ half }) => half.written)];
  const [towardsInput, ...towardsWritten] = differentiate(graph, [[hidden, upstream]], wanted);
  graph.output("towardsInput", towardsInput!);
  for (const [i, { names, input, half }] of present.entries()) {
    const u = spec.sandwichNorms ? tokenScale(spec, half.written) : undefined;
    addGram(graph, names.covariance, u ? mul(towardsWritten[i]!, u) : towardsWritten[i]!);
    if (!inputs) continue;
    addGram(graph, names.gram, u ? mul(input, reciprocal(u)) : input);
    addTotal(graph, names.total, input);
  }
  return graph;
}

/** Which second moments a backward pass sums. */
export interface WantedMoments {
  /** Those at `o_proj` beside those at `down_proj`. */
  readonly heads: boolean;
  /** Those of what enters a projection beside those of the gradient towards what it writes. */
  readonly inputs: boolean;
}

/** Names of the sums that a projection gets. */
export type SumNames = Readonly<Record<"gram" | "total" | "covariance", string>>;

export const SUMS: Readonly<Record<"mlp" | "heads", SumNames>> = {
  mlp: { gram: "gram", total: "total", covariance: "covariance" },
  heads: { gram: "headGram", total: "headTotal", covariance: "headCovariance" },
};
