// The head as a graph: final norm, and the logits of a tile of the vocabulary.
import type { Graph, Value } from "../../compute/graph.ts";
import { gemm, linear } from "../../compute/operations/index.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { norm } from "./decoder-layer.ts";

/** What a graph with a `finalNorm` takes. */
export interface FinalNormInputs {
  readonly hidden: Tensor; // [tokens, hiddenSize]
  readonly finalNorm: Tensor; // [hiddenSize]
}

/** What a graph with `logits` takes. */
export interface HeadInputs extends FinalNormInputs {
  readonly head: Tensor; // rows of the head, one for each token id of the tile [rows, hiddenSize]
}

/** Declares `FinalNormInputs`; gives the hidden states before and after the norm. [tokens, hiddenSize] */
export function finalNorm(graph: Graph, spec: DecoderSpec, tokens: number): Record<"hidden" | "normed", Value> {
  const inputs: Record<keyof FinalNormInputs, Value> = {
    hidden: graph.input("hidden", [tokens, spec.hiddenSize]),
    finalNorm: graph.input("finalNorm", [spec.hiddenSize]),
  };
  return { hidden: inputs.hidden, normed: norm(spec, inputs.hidden, inputs.finalNorm) };
}

/** Declares `HeadInputs`; gives the logits of a tile. [tokens, rows] */
export function tileLogits(graph: Graph, spec: DecoderSpec, tokens: number, rows: number): Value {
  const { normed } = finalNorm(graph, spec, tokens);
  const inputs: Record<Exclude<keyof HeadInputs, keyof FinalNormInputs>, Value> = {
    head: graph.input("head", [rows, spec.hiddenSize]),
  };
  return linear(normed, inputs.head);
}

/**
 * The way back through `tileLogits`: the gradient towards the normed states, summed over tiles. [tokens, hiddenSize]
 *
 * @param towardsLogits gradient towards the logits of a tile [tokens, rows]
 * @param head          the tile's rows [rows, hiddenSize]
 * @param addTo         the sum over the tiles before
 */
export const towardsNormed = (towardsLogits: Value, head: Value, addTo: Value): Value =>
  gemm(towardsLogits, head, { addTo });
