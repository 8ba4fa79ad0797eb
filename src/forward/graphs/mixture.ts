// A mixture of experts as graphs (Shazeer et al. 2017, arXiv:1701.06538): the router, one expert, what all tokens share. Which
// tokens go to which expert is decided between them (run/routing.ts), so that one expert at a time need be in memory.
import { Graph, type Value } from "../../compute/graph.ts";
import { add, mul, reciprocal, scale, shift, sigmoid, sum } from "../../compute/operations/elementwise.ts";
import { softmax } from "../../compute/operations/normalize.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec, Routing } from "../../model/spec/decoder-spec.ts";
import { declareWeights, type LayerValues, project } from "./layer-values.ts";
import { neurons } from "./mlp.ts";
import { inputNorm } from "./norms.ts";

/** Added to the logit of an expert that is not chosen: its softmax is exactly 0 in f32. */
const NOT_CHOSEN = -1e9;

/** Normed states [tokens, hiddenSize] and router logits [tokens, experts] of states x [tokens, hiddenSize]. */
export interface RouterValues {
  readonly normed: Value;
  readonly logits: Value;
}

export function router(spec: DecoderSpec, x: Value, weights: LayerValues): RouterValues {
  const normed = inputNorm(spec, "mlp", x, weights);
  return { normed, logits: project(normed, weights.router!, weights.routerBias) };
}

/**
 * The weight of each expert for each token, 0 where it is not chosen. [tokens, experts]
 *
 * @param logits [tokens, experts]
 * @param chosen 1 where a token goes to an expert, else 0 [tokens, experts]
 */
export function expertWeights({ scores, renormalised, scale: factor }: Routing, logits: Value, chosen: Value): Value {
  // a softmax that is renormalised is one over the chosen alone
  if (scores === "softmax" && renormalised) return scale(softmax(add(logits, notChosen(chosen))), factor);
  const own = mul(scores === "softmax" ? softmax(logits) : sigmoid(logits), chosen);
  if (renormalised === undefined) return scale(own, factor);
  return scale(mul(own, reciprocal(shift(sum(own, [1]), renormalised.plus))), factor);
}

/** 0 of chosen experts, very negative of others. */
const notChosen = (chosen: Value): Value => scale(shift(scale(chosen, -1), 1), NOT_CHOSEN);

/** What enters the projection of an expert, and what it writes; of normed states [tokens, hiddenSize]. */
export interface ExpertValues {
  readonly inputs: Value;
  readonly written: Value;
}

/** @param weights of one expert, by the roles of an MLP */
export function expert(spec: DecoderSpec, normed: Value, weights: LayerValues): ExpertValues {
  const inputs = neurons(spec, normed, weights);
  return { inputs, written: project(inputs, weights.downProj!, weights.downBias) };
}

/** What the shared expert writes. [tokens, hiddenSize] */
export function sharedExpert(spec: DecoderSpec, normed: Value, weights: LayerValues): Value {
  const { written } = expert(spec, normed, sharedAsMlp(weights));
  return weights.sharedSwitch ? mul(written, sigmoid(project(normed, weights.sharedSwitch, undefined))) : written;
}

const sharedAsMlp = ({ sharedGate, sharedUp, sharedDown }: LayerValues): LayerValues => ({
  gateProj: sharedGate!,
  upProj: sharedUp!,
  downProj: sharedDown!,
});

/** Normed states, logits, and what is written before any expert that is chosen, of states x. */
export function routerGraph(spec: DecoderSpec, tokens: number, weights: LayerWeights): Graph {
  const graph = new Graph();
  const values = declareWeights(graph, weights);
  const { normed, logits } = router(spec, graph.input("x", [tokens, spec.hiddenSize]), values);
  graph.output("normed", normed);
  graph.output("logits", logits);
  if (values.sharedDown) graph.output("shared", sharedExpert(spec, normed, values));
  return graph;
}

export function expertWeightsGraph(routing: Routing, tokens: number, experts: number): Graph {
  const graph = new Graph();
  const shape = [tokens, experts];
  graph.output("weights", expertWeights(routing, graph.input("logits", shape), graph.input("chosen", shape)));
  return graph;
}

/** What one expert makes of normed states. */
export function expertGraph(spec: DecoderSpec, tokens: number, weights: LayerWeights): Graph {
  const graph = new Graph();
  const normed = graph.input("normed", [tokens, spec.hiddenSize]);
  graph.output("written", expert(spec, normed, declareWeights(graph, weights)).written);
  return graph;
}
