// The MLP as a graph: gated (Shazeer 2020, arXiv:2002.05202), or one projection in and one out.
import type { Value } from "../../compute/graph.ts";
import { gelu, mul, relu, silu } from "../../compute/operations/index.ts";
import type { Activation, DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { type LayerValues, project } from "./layer-values.ts";

/** What down_proj reads: act(gate(x)) ⊙ up(x), or act(up(x)). @param x normed states [tokens, hiddenSize] */
export function neurons({ gated, activation }: DecoderSpec, x: Value, weights: LayerValues): Value {
  const act = ACTIVATIONS[activation];
  const up = (): Value => project(x, weights.upProj!, weights.upBias);
  return gated ? mul(act(project(x, weights.gateProj!, weights.gateBias)), up()) : act(up());
}

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
