// Second moments at the two projections that write into the residual stream: o_proj and down_proj.
import { Graph, type Value } from "../compute/graph.ts";
import { add, gemm, mul, reshape, scale, shift, sqrt, sub, sum } from "../compute/operations/index.ts";
import { type Tensor, tensor } from "../compute/tensor.ts";
import type { DecoderSpec, LayerSpec } from "../model/decoder-spec.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import { attentionHalf, declareWeights, type LayerContext, mlpHalf, type Position } from "./decoder-layer.ts";

export type Half = "attention" | "mlp";

/** Sums over tokens; z is what enters the projection, [inputSize]. */
export interface ProjectionSums {
  readonly gram: Tensor<Float32Array>; // Σ z zᵀ [inputSize, inputSize]
  readonly total: Tensor<Float32Array>; // Σ z [1, inputSize]
  /** Σ e zᵀ [hiddenSize, inputSize]: e is what the projection would have to write in addition to reach a target. */
  readonly drift: Tensor<Float32Array>;
}

/** A gain of the norm behind a projection counts as no smaller than this when an error is carried back through it. */
const LEAST_GAIN = 0.05;

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

/** 1 / gain of the norm behind the projection, f32 [hiddenSize]; nothing where there is no such norm. */
export function inverseGain({ normOffset }: DecoderSpec, half: Half, weights: LayerWeights): Record<string, Tensor> {
  const weight = weights[half === "attention" ? "attentionOutputNorm" : "mlpOutputNorm"];
  if (weight === undefined) return {};
  const inverse = weight.data.map((value) => 1 / Math.max(Math.abs(normOffset + value), LEAST_GAIN));
  return { inverseGain: tensor(inverse, weight.shape) };
}

/** x [tokens, hiddenSize] enters the half; `target`, when asked for, is what should come out of it. */
export function projectionSumsGraph(
  half: Half,
  context: LayerContext,
  weights: LayerWeights,
  declarePosition: (graph: Graph, context: LayerContext) => Position,
  hasTarget: boolean,
): Graph {
  const { spec, layer, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const values = declareWeights(graph, weights);
  const mlp = half === "mlp" ? mlpHalf(context, x, values) : undefined;
  const attention = mlp ? undefined : attentionHalf(context, x, values, declarePosition(graph, context));
  const { written, hidden } = (mlp ?? attention)!;
  const inputs = (mlp?.neurons ?? attention?.heads)!;
  const size = inputSize(spec, layer, half);
  graph.output("gram", gemm(inputs, inputs, { transA: true, addTo: graph.input("gramBefore", [size, size]) }));
  graph.output("total", add(reshape(sum(inputs, [0]), [1, size]), graph.input("totalBefore", [1, size])));
  if (!hasTarget) return graph;
  const missing = sub(graph.input("target", shape), hidden);
  const hasNorm = weights[half === "attention" ? "attentionOutputNorm" : "mlpOutputNorm"] !== undefined;
  const error = hasNorm ? beforeNorm(graph, spec, missing, written) : missing;
  const before = graph.input("driftBefore", [spec.hiddenSize, size]);
  graph.output("drift", gemm(error, inputs, { transA: true, addTo: before }));
  return graph;
}

/** An error behind a norm as an error of what enters it: along the norm's gain, its scale held fixed. */
function beforeNorm(graph: Graph, spec: DecoderSpec, missing: Value, written: Value): Value {
  const meanSquare = scale(sum(mul(written, written), [1]), 1 / spec.hiddenSize);
  const rms = sqrt(shift(meanSquare, spec.normEpsilon));
  return mul(mul(missing, rms), graph.input("inverseGain", [spec.hiddenSize]));
}
