// The head as a graph: final norm, and the logits of a tile of the vocabulary.
import type { Graph, Value } from "../../compute/graph.ts";
import { mul, scale, shift, softCap } from "../../compute/operations/elementwise.ts";
import { gemm, linear } from "../../compute/operations/linear.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { norm } from "./norms.ts";

/** The weights of the final norm, each [hiddenSize]. */
export interface FinalNormWeights {
  readonly finalNorm: Tensor;
  readonly finalNormBias?: Tensor;
}

/** What a graph with a `finalNorm` takes. */
export interface FinalNormInputs extends FinalNormWeights {
  readonly hidden: Tensor; // [tokens, hiddenSize]
}

/** What a graph with `logits` takes. */
export interface HeadInputs extends FinalNormInputs {
  readonly head: Tensor; // rows of the head, one for each token id of the tile [rows, hiddenSize]
}

/** Declares `FinalNormInputs`; gives the hidden states before and after the norm. [tokens, hiddenSize] */
export function finalNorm(graph: Graph, spec: DecoderSpec, tokens: number): Record<"hidden" | "normed", Value> {
  const hidden = graph.input("hidden", [tokens, spec.hiddenSize]);
  const weight = graph.input("finalNorm", [spec.hiddenSize]);
  const bias = spec.normBias ? graph.input("finalNormBias", [spec.hiddenSize]) : undefined;
  return { hidden, normed: norm(spec, hidden, weight, bias) };
}

/** Declares `HeadInputs`; gives the logits of a tile. [tokens, rows] */
export function tileLogits(graph: Graph, spec: DecoderSpec, tokens: number, rows: number): Value {
  const { normed } = finalNorm(graph, spec, tokens);
  const head = graph.input("head", [rows, spec.hiddenSize]);
  return softCap(scale(linear(normed, head), spec.logitScale), spec.logitCap);
}

/** The slope of a soft cap, from its output: 1 − (y / cap)². */
export function capSlope(logits: Value, cap: number): Value {
  const share = scale(logits, 1 / cap);
  return shift(scale(mul(share, share), -1), 1);
}

/**
 * The way back through `tileLogits`, but for a cap: the gradient towards the normed states, summed over tiles. [tokens, hiddenSize]
 *
 * @param towardsLogits gradient towards the logits of a tile before the cap [tokens, rows]
 * @param head          the tile's rows [rows, hiddenSize]
 * @param addTo         the sum over the tiles before
 */
export const towardsNormed = ({ logitScale }: DecoderSpec, towardsLogits: Value, head: Value, addTo: Value): Value =>
  gemm(towardsLogits, head, { alpha: logitScale, addTo });
