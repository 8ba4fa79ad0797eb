// Second moments at the two projections that write into the residual stream: o_proj and down_proj.
import { Graph, type Value } from "../../compute/graph.ts";
import { gemm, mul, reciprocal, reshape, shift, sub } from "../../compute/operations/index.ts";
import {
  addGram,
  addProduct,
  addTotal,
  emptyGram,
  emptySum,
  type RunningSums,
  wholeGram,
} from "../../compute/running-sums.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../../model/spec/decoder-spec.ts";
import type { Half } from "../../model/spec/tensor-names.ts";
import { beforeNorm } from "../graphs/before-norm.ts";
import {
  attentionHalf,
  declareWeights,
  type LayerContext,
  type LayerValues,
  mlpHalf,
  type Position,
  PROJECTION_ROLES,
} from "../graphs/decoder-layer.ts";
import { tokenScale } from "../graphs/token-scale.ts";
import type { HiddenStates } from "./hidden-states.ts";

/** What to sum. */
export interface SumsOptions {
  /** Whether tokens count by their scale u (token-scale.ts); else u = 1. */
  readonly scaled: boolean;
  /** What should come out of the half; without it the drift is zero. */
  readonly target?: HiddenStates | undefined;
  /** Whether the sums of some windows, one of each batch that has more, are wanted apart as well. */
  readonly holdsOut?: boolean | undefined;
  /** Whether what enters the projection is wanted too; not where windows are held out. */
  readonly keepsInputs?: boolean | undefined;
}

/** Sums over tokens; z is what enters the projection, [inputSize]. */
export interface ProjectionSums {
  readonly gram: Tensor<Float32Array>; // Σ z zᵀ / u² [inputSize, inputSize]
  readonly total: Tensor<Float32Array>; // Σ z [1, inputSize]
  /** Σ e zᵀ / u² [hiddenSize, inputSize]: e is what the projection would have to write in addition to come near a target. */
  readonly drift: Tensor<Float32Array>;
}

/** Sums over all tokens, and over those held out of them. */
export interface AllSums extends ProjectionSums {
  readonly heldOut: ProjectionSums | undefined;
  /** z of each batch, [tokens, inputSize], where they were asked for. */
  readonly inputs: readonly Tensor[] | undefined;
}

/** Columns of o_proj or of down_proj. */
export const inputSize = ({ headDim }: DecoderSpec, layer: LayerSpec, half: Half): number =>
  half === "attention" ? layer.numAttentionHeads * headDim : layer.intermediateSize;

/** Sums that the graph adds to, with or without a drift. */
export const emptySums = (spec: DecoderSpec, size: number, hasTarget: boolean): RunningSums => ({
  ...emptyGram("gram", size),
  ...emptySum("total", 1, size),
  ...(hasTarget ? emptySum("drift", spec.hiddenSize, size) : {}),
});

/** What the graph has summed. */
export const finishedSums = (spec: DecoderSpec, size: number, sums: RunningSums): ProjectionSums => ({
  gram: wholeGram(sums, "gram", size),
  total: sums.total!,
  drift: sums.drift ?? emptySum("drift", spec.hiddenSize, size).drift!,
});

/** Adds sums to others. */
export function mergeSums(to: ProjectionSums, from: ProjectionSums): void {
  for (const name of ["gram", "total", "drift"] as const) {
    const [sums, more] = [to[name].data, from[name].data];
    for (let i = 0; i < sums.length; i++) sums[i]! += more[i]!;
  }
}

/** x [tokens, hiddenSize] enters the half; `target`, when asked for, is what should come out of it. */
export function projectionSumsGraph(
  half: Half,
  context: LayerContext,
  weights: LayerWeights,
  declarePosition: (graph: Graph, context: LayerContext) => Position,
  { scaled, hasTarget, keepsInputs }: Readonly<Record<"scaled" | "hasTarget" | "keepsInputs", boolean>>,
): Graph {
  const { spec, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const values = declareWeights(graph, weights);
  const mlp = half === "mlp" ? mlpHalf(context, x, values) : undefined;
  const attention = mlp ? undefined : attentionHalf(context, x, values, declarePosition(graph, context));
  const outcome = (mlp ?? attention)!;
  const inputs = (mlp?.neurons ?? attention?.heads)!;
  const even = scaled ? mul(inputs, reciprocal(tokenScale(spec, outcome.written))) : inputs;
  addGram(graph, "gram", even);
  addTotal(graph, "total", inputs);
  if (keepsInputs) graph.output("inputs", inputs);
  if (!hasTarget) return graph;
  const target = graph.input("target", shape);
  const gain = outputGain(half, spec, values); // without it what the projection writes is taken off the sum (`driftGraph`)
  const wanted = gain ? beforeNorm(spec, sub(target, outcome.hidden), sub(outcome.hidden, x), gain) : sub(target, x);
  addProduct(graph, "drift", wanted, even);
  return graph;
}

/**
 * The drift of a projection without a norm behind it: Σ e zᵀ = Σ (target − x) zᵀ − W Σ z zᵀ − b Σ zᵀ. Undefined where there is
 * a norm: what it asks of a token depends on what is written for that token.
 */
export function driftGraph(
  half: Half,
  { spec, layer }: Pick<LayerContext, "spec" | "layer">,
  weights: LayerWeights,
): Graph | undefined {
  const graph = new Graph();
  const values = declareWeights(graph, weights);
  if (outputGain(half, spec, values)) return undefined;
  const size = inputSize(spec, layer, half);
  const roles = PROJECTION_ROLES[half];
  const [weight, bias] = [values[roles.weight]!, values[roles.bias]];
  const total = graph.input("total", [1, size]);
  const asked = graph.input("asked", [spec.hiddenSize, size]);
  const left = gemm(weight, graph.input("gram", [size, size]), { alpha: -1, addTo: asked });
  graph.output("drift", bias ? gemm(reshape(bias, [spec.hiddenSize, 1]), total, { alpha: -1, addTo: left }) : left);
  return graph;
}

/** Gain of the norm behind the projection, where the family has one. */
function outputGain(half: Half, spec: DecoderSpec, values: LayerValues): Value | undefined {
  const outputNorm = values[PROJECTION_ROLES[half].outputNorm];
  return outputNorm && shift(outputNorm, spec.normOffset);
}
