// What the graphs of a layer's parts have in common: the layer's weights as values, what a part is fixed to, what it gives.
import type { Graph, Value } from "../../compute/graph.ts";
import { add, reshape } from "../../compute/operations/elementwise.ts";
import { gemm, linear } from "../../compute/operations/linear.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { LayerSpec } from "../../model/spec/parts.ts";
import type { LayerRole } from "../../model/spec/roles.ts";

/** The weights of a layer as values of the graph, by role; a role that the layer does not have is absent. */
export type LayerValues = Partial<Record<LayerRole, Value>>;

/** Sizes that a compiled layer graph is fixed to. */
export interface LayerContext {
  readonly spec: DecoderSpec;
  readonly sizes: LayerSpec;
  readonly batch: number; // windows
  readonly length: number; // tokens of each
}

/** What a mixer remembers of the tokens before; by name, as its graph takes and gives it. */
export type MixerState = Readonly<Record<string, Value>>;

/** What a token mixer gives. */
export interface Mixed {
  /** Input z of the projection that ends the mixer. [tokens, inputSize] */
  readonly inputs: Value;
  /** What later tokens need of these. */
  readonly state: MixerState;
}

/** Declares the layer's weights as graph inputs named by role, or as `named` has it. */
export function declareWeights(graph: Graph, weights: LayerWeights, named = (role: string) => role): LayerValues {
  return Object.fromEntries(
    Object.entries(weights).map(([role, { shape }]) => [role, graph.input(named(role), shape)]),
  );
}

/** x [tokens, in] through a matrix [out, in], and a bias where there is one. [tokens, out] */
export function project(x: Value, weight: Value, bias: Value | undefined): Value {
  const product = linear(x, weight);
  return bias ? add(product, bias) : product;
}

/** The same, transposed. [out, tokens] */
export function projectToRows(x: Value, weight: Value, bias: Value | undefined): Value {
  const product = gemm(weight, x, { transB: true });
  return bias ? add(product, reshape(bias, [weight.shape[0]!, 1])) : product;
}
