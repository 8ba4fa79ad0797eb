// One decoder layer as a graph of two sublayers: attention with its residual, MLP with its residual. Everything that differs
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
import type { OutputProjection } from "../../linalg/projection.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../../model/spec/decoder-spec.ts";
import { type LayerRole, type Sublayer, sublayerOf } from "../../model/spec/tensor-names.ts";
import { declarePosition, type Position } from "./position.ts";

/** What takes part in the projection that ends a sublayer. */
export const PROJECTION_ROLES: Readonly<
  Record<Sublayer, Readonly<Record<"weight" | "bias" | "outputNorm", LayerRole>>>
> = {
  attention: { weight: "oProj", bias: "oBias", outputNorm: "attentionOutputNorm" },
  mlp: { weight: "downProj", bias: "downBias", outputNorm: "mlpOutputNorm" },
};

/** The projection that ends a sublayer: o_proj or down_proj. The layer has that sublayer. */
export function projectionOf(name: Sublayer, { weights }: DecoderLayer): OutputProjection {
  const { data, shape } = weights[PROJECTION_ROLES[name].weight]!;
  return { weight: data, inputSize: shape[1]!, outputSize: shape[0]! };
}

/** Whether a layer of these sizes has the sublayer. */
export const hasSublayer = (name: Sublayer, { numAttentionHeads, intermediateSize }: LayerSpec): boolean =>
  (name === "attention" ? numAttentionHeads : intermediateSize) > 0;

/** The weights of a layer that belong to a sublayer. */
export const sublayerWeights = (name: Sublayer, weights: LayerWeights): LayerWeights =>
  Object.fromEntries(Object.entries(weights).filter(([role]) => sublayerOf(role as LayerRole) === name));

/** The weights of a layer as values of the graph, by role; a role that the layer does not have is absent. */
export type LayerValues = Partial<Record<LayerRole, Value>>;

/** Sizes that a compiled layer graph is fixed to. */
export interface LayerContext {
  readonly spec: DecoderSpec;
  readonly sizes: LayerSpec;
  readonly batch: number; // windows
  readonly length: number; // tokens of each
}

/** Keys and values of earlier tokens, already rotated. */
export interface Past {
  readonly keys: Value; // [batch, numKeyValueHeads, capacity, headDim]
  readonly values: Value; // [batch, numKeyValueHeads, capacity, headDim]
}

/** The values of a sublayer that others ask for. */
export interface SublayerValues {
  /** Input z of the projection that ends it: elements of the heads, or neurons. [tokens, inputSize] */
  readonly inputs: Value;
  /** Output of that projection, before a norm behind it. [tokens, hiddenSize] */
  readonly written: Value;
  /** Residual stream after the sublayer. [tokens, hiddenSize] */
  readonly hidden: Value;
}

export interface AttentionSublayer extends SublayerValues {
  readonly keys: Value; // of these tokens, rotated [batch, numKeyValueHeads, length, headDim]
  readonly values: Value; // of these tokens [batch, numKeyValueHeads, length, headDim]
}

/** Both sublayers, as far as the layer has them. */
export interface WholeLayer {
  readonly attention: SublayerValues | undefined;
  readonly mlp: SublayerValues | undefined;
  /** Residual stream after the layer. [tokens, hiddenSize] */
  readonly hidden: Value;
}

/** Declares the layer's weights as graph inputs named by role. */
export function declareWeights(graph: Graph, weights: LayerWeights): LayerValues {
  return Object.fromEntries(Object.entries(weights).map(([role, { shape }]) => [role, graph.input(role, shape)]));
}

/** The layer from its input x on, attention first. */
export function wholeLayer(context: LayerContext, x: Value, weights: LayerValues): WholeLayer {
  const { sizes } = context;
  const attention = hasSublayer("attention", sizes) ? sublayer("attention", context, x, weights) : undefined;
  const middle = attention?.hidden ?? x;
  const mlp = hasSublayer("mlp", sizes) ? sublayer("mlp", context, middle, weights) : undefined;
  return { attention, mlp, hidden: mlp?.hidden ?? middle };
}

/** One sublayer over windows that start at position 0; an attention declares its position in the graph of x. */
export const sublayer = (name: Sublayer, context: LayerContext, x: Value, weights: LayerValues): SublayerValues =>
  name === "attention"
    ? attentionSublayer(context, x, weights, declarePosition(x.graph, context.spec, context.length))
    : mlpSublayer(context, x, weights);

/**
 * x + attention(norm(x)), tokens of all windows in the rows of x [batch · length, hiddenSize].
 *
 * Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): the queries of a group are stacked along the token axis,
 * so that keys and values are never repeated.
 */
export function attentionSublayer(
  context: LayerContext,
  x: Value,
  weights: LayerValues,
  position: Position,
  past?: Past,
): AttentionSublayer {
  const { spec, sizes, batch, length } = context;
  const { numAttentionHeads, numKeyValueHeads } = sizes;
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
  const inputs = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * length, numAttentionHeads * spec.headDim]);
  return { ...projected("attention", spec, x, inputs, weights), keys, values };
}

/** h + MLP(norm(h)) with a gated MLP (Shazeer 2020, arXiv:2002.05202): down(act(gate(h)) ⊙ up(h)). */
export function mlpSublayer({ spec }: LayerContext, h: Value, weights: LayerValues): SublayerValues {
  const normed = norm(spec, h, weights.mlpNorm!);
  const gate = activate(spec, biased(linear(normed, weights.gateProj!), weights.gateBias));
  const inputs = mul(gate, biased(linear(normed, weights.upProj!), weights.upBias));
  return projected("mlp", spec, h, inputs, weights);
}

/** The end of a sublayer, from the inputs of its projection [tokens, inputSize] and the residual stream x [tokens, hiddenSize]. */
export function projected(
  name: Sublayer,
  spec: DecoderSpec,
  x: Value,
  inputs: Value,
  weights: LayerValues,
): SublayerValues {
  const roles = PROJECTION_ROLES[name];
  const [outputNorm, bias] = [weights[roles.outputNorm], weights[roles.bias]];
  const written = biased(linear(inputs, weights[roles.weight]!), bias);
  return { inputs, written, hidden: add(x, outputNorm ? norm(spec, written, outputNorm) : written) };
}

/** RMSNorm with the family's convention of the weight. */
export const norm = (spec: DecoderSpec, x: Value, weight: Value): Value =>
  rmsNorm(x, shift(weight, spec.normOffset), spec.normEpsilon);

const biased = (x: Value, bias: Value | undefined): Value => (bias ? add(x, bias) : x);

function activate(spec: DecoderSpec, x: Value): Value {
  if (spec.activation === "silu") return silu(x);
  return gelu(x, spec.activation === "gelu" ? "none" : "tanh");
}
