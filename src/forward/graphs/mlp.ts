// The MLP as a graph: gated (Shazeer 2020, arXiv:2002.05202), or one projection in and one out.
import type { Value } from "../../compute/graph.ts";
import { gelu, mul, relu, scale, shift, sigmoid, silu, sub } from "../../compute/operations/elementwise.ts";
import type { Activation, DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { type LayerValues, project } from "./layer-values.ts";

/** What down_proj reads: act(gate(x)) ⊙ up(x), or act(up(x)). @param x normed states [tokens, hiddenSize] */
export function neurons({ gated, activation, clampedGate }: DecoderSpec, x: Value, weights: LayerValues): Value {
  const act = ACTIVATIONS[activation];
  const up = (): Value => project(x, weights.upProj!, weights.upBias);
  if (clampedGate) return clamped(clampedGate, project(x, weights.gateProj!, weights.gateBias), up());
  return gated ? mul(act(project(x, weights.gateProj!, weights.gateBias)), up()) : act(up());
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
