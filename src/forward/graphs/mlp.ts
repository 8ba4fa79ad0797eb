// The MLP as a graph: gated (Shazeer 2020, arXiv:2002.05202), or one projection in and one out.
import type { Value } from "../../compute/graph.ts";
import { gelu, mul, relu, scale, shift, sigmoid, silu, sub } from "../../compute/operations/elementwise.ts";
import type { Activation, DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { type LayerValues, project, projectToRows } from "./layer-values.ts";

/** What down_proj reads: act(gate(x)) ⊙ up(x), or act(up(x)). @param x normed states [tokens, hiddenSize] */
export const neurons = (spec: DecoderSpec, x: Value, weights: LayerValues): Value =>
  activated(spec, weights, (weight, bias) => project(x, weight, bias));

/** The same with a row for each neuron. [neurons, tokens] */
export const neuronRows = (spec: DecoderSpec, x: Value, weights: LayerValues): Value =>
  activated(spec, weights, (weight, bias) => projectToRows(x, weight, bias));

/** @param read what a matrix, with its bias, makes of the states */
function activated(
  { gated, activation, clampedGate }: DecoderSpec,
  weights: LayerValues,
  read: (weight: Value, bias: Value | undefined) => Value,
): Value {
  const act = ACTIVATIONS[activation];
  const up = (): Value => read(weights.upProj!, weights.upBias);
  if (clampedGate) return clamped(clampedGate, read(weights.gateProj!, weights.gateBias), up());
  return gated ? mul(act(read(weights.gateProj!, weights.gateBias)), up()) : act(up());
}

/** g · sigmoid(alpha · g) ⊙ (u + 1), g at most the limit, u within ± the limit. */
function clamped({ alpha, limit }: NonNullable<DecoderSpec["clampedGate"]>, gate: Value, up: Value): Value {
  const g = atMost(gate, limit);
  const u = scale(atMost(scale(atMost(up, limit), -1), limit), -1);
  return mul(mul(g, sigmoid(scale(g, alpha))), shift(u, 1));
}

/** min(x, limit). */
const atMost = (x: Value, limit: number): Value => sub(x, relu(shift(x, -limit)));

const ACTIVATIONS: Readonly<Record<Activation, (x: Value) => Value>> = {
  silu,
  gelu: (x) => gelu(x, "none"),
  "gelu-tanh": (x) => gelu(x, "tanh"),
  relu,
  relu2: (x) => {
    const positive = relu(x);
    return mul(positive, positive);
  },
};
