// Second moments at the two projections that write into the residual stream: o_proj and down_proj.
import { Graph } from "../compute/graph.ts";
import { add, gemm, mul, reciprocal, reshape, shift, sub, sum } from "../compute/operations/index.ts";
import { type Tensor, tensor } from "../compute/tensor.ts";
import type { DecoderSpec, LayerSpec } from "../model/decoder-spec.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import { beforeNorm } from "./before-norm.ts";
import { attentionHalf, declareWeights, type LayerContext, mlpHalf, type Position } from "./decoder-layer.ts";
import type { HiddenStates } from "./hidden-states.ts";
import { tokenScale } from "./token-scale.ts";

export type Half = "attention" | "mlp";

/** What to sum. */
export interface SumsOptions {
  /** Whether tokens count by their scale u (token-scale.ts); else u = 1. */
  readonly scaled: boolean;
  /** What should come out of the half; without it the drift is zero. */
  readonly target?: HiddenStates | undefined;
}

/** Sums over tokens; z is what enters the projection, [inputSize]. */
export interface ProjectionSums {
  readonly gram: Tensor<Float32Array>; // Σ z zᵀ / u² [inputSize, inputSize]
  readonly total: Tensor<Float32Array>; // Σ z [1, inputSize]
  /** Σ e zᵀ / u² [hiddenSize, inputSize]: e is what the projection would have to write in addition to come near a target. */
  readonly drift: Tensor<Float32Array>;
}

/** Columns of o_proj or of down_proj. */
export const inputSize = ({ headDim }: DecoderSpec, layer: LayerSpec, half: Half): number =>
  half === "attention" ? layer.numAttentionHeads * headDim : layer.intermediateSize;

export function emptySums(spec: DecoderSpec, layer: LayerSpec, half: Half): ProjectionSums {
  const size = inputSize(spec, layer, half);
  const zeros = (rows: number): Tensor<Float32Array> => tensor(new Float32Array(rows * size), [rows, size]);
  return { gram: zeros(size), total: zeros(1), drift: zeros(spec.hiddenSize) };
}

/** Inputs of the graph that bring the sums so far. */
export const sumsBefore = ({ gram, total, drift }: ProjectionSums): Record<string, Tensor> => ({
  gramBefore: gram,
  totalBefore: total,
  driftBefore: drift,
});

/** x [tokens, hiddenSize] enters the half; `target`, when asked for, is what should come out of it. */
export function projectionSumsGraph(
  half: Half,
  context: LayerContext,
  weights: LayerWeights,
  declarePosition: (graph: Graph, context: LayerContext) => Position,
  { scaled, hasTarget }: { readonly scaled: boolean; readonly hasTarget: boolean },
): Graph {
  const { spec, layer, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const values = declareWeights(graph, weights);
  const mlp = half === "mlp" ? mlpHalf(context, x, values) : undefined;
  const attention = mlp ? undefined : attentionHalf(context, x, values, declarePosition(graph, context));
  const outcome = (mlp ?? attention)!;
  const inputs = (mlp?.neurons ?? attention?.heads)!;
  const even = scaled ? mul(inputs, reciprocal(tokenScale(spec, outcome.written))) : inputs;
  const size = inputSize(spec, layer, half);
  graph.output("gram", gemm(even, even, { transA: true, addTo: graph.input("gramBefore", [size, size]) }));
  graph.output("total", add(reshape(sum(inputs, [0]), [1, size]), graph.input("totalBefore", [1, size])));
  if (!hasTarget) return graph;
  const missing = sub(graph.input("target", shape), outcome.hidden);
  const outputNorm = half === "mlp" ? values.mlpOutputNorm : values.attentionOutputNorm;
  const gain = outputNorm && shift(outputNorm, spec.normOffset);
  const wanted = gain ? beforeNorm(spec, missing, sub(outcome.hidden, x), gain) : missing;
  const before = graph.input("driftBefore", [spec.hiddenSize, size]);
  graph.output("drift", gemm(wanted, even, { transA: true, addTo: before }));
  return graph;
}
