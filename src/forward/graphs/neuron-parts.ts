// The neurons of an MLP in parts, each computed from views of the rows of its matrices, so that nothing has to be cut in a graph.
import type { Graph, Value } from "../../compute/graph.ts";
import { type Tensor, tensorRows } from "../../compute/tensor.ts";
import type { Span } from "../../linalg/gemm.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { LayerRole } from "../../model/spec/roles.ts";
import { NEURON_ROWS } from "../../model/take-rows.ts";
import { declareWeights, type LayerValues } from "./layer-values.ts";
import { neuronRows } from "./mlp.ts";

/** The weights of an MLP for graphs that compute its neurons in parts. */
export class NeuronParts {
  /** What is not of single neurons: norms, and what follows the neurons. */
  readonly #rest: LayerWeights;
  readonly #parts: readonly LayerWeights[];

  constructor(weights: LayerWeights, parts: readonly Span[]) {
    const roles = NEURON_ROWS.filter((role) => weights[role] !== undefined);
    const isOfNeurons = (role: string): boolean => roles.includes(role as LayerRole);
    this.#rest = Object.fromEntries(Object.entries(weights).filter(([role]) => !isOfNeurons(role)));
    this.#parts = parts.map(([start, end]) =>
      Object.fromEntries(roles.map((role) => [role, tensorRows(weights[role]!, start, end)])),
    );
  }

  /** What a graph takes in which they are declared. */
  get inputs(): Record<string, Tensor> {
    const named = this.#parts.flatMap((part, i) =>
      Object.entries(part).map(([role, weight]) => [partName(role, i), weight] as const),
    );
    return { ...this.#rest, ...Object.fromEntries(named) };
  }

  /** Declares all of them. */
  declare(graph: Graph): DeclaredParts {
    const parts = this.#parts.map((part, i) => declareWeights(graph, part, (role) => partName(role, i)));
    return { rest: declareWeights(graph, this.#rest), parts };
  }
}

const partName = (role: string, part: number): string => `${role} ${part}`;

export interface DeclaredParts {
  readonly rest: LayerValues;
  readonly parts: readonly LayerValues[];
}

/** What down_proj reads, each part [its neurons, tokens]. @param normed states [tokens, hiddenSize] */
export const rowsInParts = (spec: DecoderSpec, normed: Value, { parts }: DeclaredParts): Value[] =>
  parts.map((part) => neuronRows(spec, normed, part));
