// One decoder layer as a graph, in two halves: attention with its residual, MLP with its residual. Everything that differs
// between families is read from the DecoderSpec; nothing here knows a family by name.
import type { Graph, Value } from "../../compute/graph.ts";
import {
  add,
  concat,
  gelu,
  linear,
  matmul,
  mul,
  reshape,
  rmsNorm,
  rotary,
  scale,
  shift,
  silu,
  softmax,
  swapLast,
  transpose,
} from "../../compute/operations/index.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../../model/spec/decoder-spec.ts";
import type { Half, LayerRole } from "../../model/spec/tensor-names.ts";

/** What takes part in the projection that ends a half. */
export const PROJECTION_ROLES: Readonly<Record<Half, Readonly<Record<"weight" | "bias" | "outputNorm", LayerRole>>>> = {
  attention: { weight: "oProj", bias: "oBias", outputNorm: "attentionOutputNorm" },
  mlp: { weight: "downProj", bias: "downBias", outputNorm: "mlpOutputNorm" },
};

/** The weights of a layer as values of the graph, by role; a role that the layer does not have is absent. */
export type LayerValues = Partial<Record<LayerRole, Value>>;

/** Sizes that a compiled layer graph is fixed to. */
export interface LayerContext {
  readonly spec: DecoderSpec;
  readonly layer: LayerSpec;
  readonly batch: number; // windows
  readonly length: number; // tokens of each
}

/** What tells a token where it stands. */
export interface Position {
  readonly cos: Value; // [length, headDim]
  readonly sin: Value; // [length, headDim]
  /** Added to the scores: 0 where a query may look, very negative where not. [length, keys] */
  readonly mask: Value;
}

/** Keys and values of earlier tokens, already rotated. */
export interface Past {
  readonly keys: Value; // [batch, numKeyValueHeads, capacity, headDim]
  readonly values: Value; // [batch, numKeyValueHeads, capacity, headDim]
}

export interface AttentionHalf {
  /** Input of oProj. [tokens, numAttentionHeads · headDim] */
  readonly heads: Value;
  /** Output of oProj. [tokens, hiddenSize] */
  readonly written: Value;
  /** Residual stream after attention. [tokens, hiddenSize] */
  readonly hidden: Value;
  readonly keys: Value; // of these tokens, rotated [batch, numKeyValueHeads, length, headDim]
  readonly values: Value; // of these tokens [batch, numKeyValueHeads, length, headDim]
}

export interface MlpHalf {
  /** Input of downProj. [tokens, intermediateSize] */
  readonly neurons: Value;
  /** Output of downProj. [tokens, hiddenSize] */
  readonly written: Value;
  /** Residual stream after the layer. [tokens, hiddenSize] */
  readonly hidden: Value;
}

/** Both halves, as far as the layer has them. */
export interface WholeLayer {
  readonly attention: AttentionHalf | undefined;
  readonly mlp: MlpHalf | undefined;
  /** Residual stream after the layer. [tokens, hiddenSize] */
  readonly hidden: Value;
}

/** Declares the layer's weights as graph inputs named by role. */
export function declareWeights(graph: Graph, weights: LayerWeights): LayerValues {
  return Object.fromEntries(Object.entries(weights).map(([role, { shape }]) => [role, graph.input(role, shape)]));
}

/** The layer from its input x on, attention first; `position` is asked for where there is an attention. */
export function wholeLayer(
  context: LayerContext,
  x: Value,
  weights: LayerValues,
  position: () => Position,
): WholeLayer {
  const { numAttentionHeads, intermediateSize } = context.layer;
  const attention = numAttentionHeads === 0 ? undefined : attentionHalf(context, x, weights, position());
  const middle = attention?.hidden ?? x;
  const mlp = intermediateSize === 0 ? undefined : mlpHalf(context, middle, weights);
  return { attention, mlp, hidden: mlp?.hidden ?? middle };
}

/**
 * x + attention(norm(x)), tokens of all windows in the rows of x [batch · length, hiddenSize].
 *
 * Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): the queries of a group are stacked along the token axis,
 * so that keys and values are never repeated.
 */
export function attentionHalf(
  context: LayerContext,
  x: Value,
  weights: LayerValues,
  position: Position,
  past?: Past,
): AttentionHalf {
  const { spec, layer, batch, length } = context;
  const { numAttentionHeads, numKeyValueHeads } = layer;
  const group = numAttentionHeads / numKeyValueHeads;
  const normed = norm(spec, x, weights.attentionNorm!);
  const project = (weight: Value, bias: Value | undefined, headNorm: Value | undefined, heads: number): Value => {
    const split = reshape(biased(linear(normed, weight), bias), [batch, length, heads, spec.headDim]);
    return transpose(headNorm ? norm(spec, split, headNorm) : split, [0, 2, 1, 3]);
  };
  const turn = (heads: Value): Value => rotary(heads, position.cos, position.sin);
  const queries = turn(project(weights.qProj!, weights.qBias, weights.qNorm, numAttentionHeads));
  const keys = turn(project(weights.kProj!, weights.kBias, weights.kNorm, numKeyValueHeads));
  const values = project(weights.vProj!, weights.vBias, undefined, numKeyValueHeads);
  const allKeys = past ? concat([past.keys, keys], 2) : keys;
  const allValues = past ? concat([past.values, values], 2) : values;
  const keyCount = allKeys.shape[2]!;
  const stacked = reshape(scale(queries, spec.attentionScale), [batch, numKeyValueHeads, group * length, spec.headDim]);
  const scores = reshape(matmul(stacked, swapLast(allKeys)), [batch, numKeyValueHeads, group, length, keyCount]);
  const weightsOfKeys = reshape(softmax(add(scores, position.mask)), [
    batch,
    numKeyValueHeads,
    group * length,
    keyCount,
  ]);
  const mixed = reshape(matmul(weightsOfKeys, allValues), [batch, numAttentionHeads, length, spec.headDim]);
  const heads = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * length, numAttentionHeads * spec.headDim]);
  return { heads, ...projected("attention", spec, x, heads, weights), keys, values };
}

/** h + MLP(norm(h)) with a gated MLP (Shazeer 2020, arXiv:2002.05202): down(act(gate(h)) ⊙ up(h)). */
export function mlpHalf(context: LayerContext, h: Value, weights: LayerValues): MlpHalf {
  const { spec } = context;
  const normed = norm(spec, h, weights.mlpNorm!);
  const gate = activate(spec, biased(linear(normed, weights.gateProj!), weights.gateBias));
  const neurons = mul(gate, biased(linear(normed, weights.upProj!), weights.upBias));
  return { neurons, ...projected("mlp", spec, h, neurons, weights) };
}

/** The projection that ends a half, from its inputs [tokens, size], and the residual stream x [tokens, hiddenSize] with it. */
export function projected(
  half: Half,
  spec: DecoderSpec,
  x: Value,
  inputs: Value,
  weights: LayerValues,
): Pick<MlpHalf, "written" | "hidden"> {
  const roles = PROJECTION_ROLES[half];
  const [outputNorm, bias] = [weights[roles.outputNorm], weights[roles.bias]];
  const written = biased(linear(inputs, weights[roles.weight]!), bias);
  return { written, hidden: add(x, outputNorm ? norm(spec, written, outputNorm) : written) };
}

/** RMSNorm with the family's convention of the weight. */
export const norm = (spec: DecoderSpec, x: Value, weight: Value): Value =>
  rmsNorm(x, shift(weight, spec.normOffset), spec.normEpsilon);

const biased = (x: Value, bias: Value | undefined): Value => (bias ? add(x, bias) : x);

function activate(spec: DecoderSpec, x: Value): Value {
  if (spec.activation === "silu") return silu(x);
  return gelu(x, spec.activation === "gelu" ? "none" : "tanh");
}
