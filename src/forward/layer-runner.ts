// Runs parts of a decoder layer over batches of hidden states.
import type { Backend } from "../compute/backend.ts";
import { Graph, type Value } from "../compute/graph.ts";
import { add, gemm, reshape, sum } from "../compute/operations/index.ts";
import type { Tensor } from "../compute/tensor.ts";
import type { DecoderSpec, LayerSpec } from "../model/decoder-spec.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerRole } from "../model/tensor-names.ts";
import { attentionHalf, declareWeights, type LayerContext, mlpHalf, type Position } from "./decoder-layer.ts";
import type { HiddenBatch } from "./hidden-states.ts";
import { type PositionTensors, windowPosition } from "./position.ts";
import { ProgramCache } from "./programs.ts";

const MLP_ROLES: ReadonlySet<LayerRole> = new Set<LayerRole>([
  "mlpNorm",
  "gateProj",
  "upProj",
  "downProj",
  "gateBias",
  "upBias",
  "downBias",
  "mlpOutputNorm",
]);

/** Moments of Z [tokens, size], the input of a projection, summed over tokens. */
export interface InputSums {
  readonly gram: Tensor<Float32Array>; // ZᵀZ [size, size]
  readonly total: Tensor<Float32Array>; // Σ z [1, size]
}

type Part = "attention" | "mlp" | "layer" | "neurons" | "heads";

/** Graphs of one model's layers on one backend, compiled as they are needed. */
export class LayerRunner {
  readonly spec: DecoderSpec;
  readonly programs: ProgramCache;
  readonly #positions = new Map<string, PositionTensors>();

  constructor(backend: Backend, spec: DecoderSpec) {
    this.spec = spec;
    this.programs = new ProgramCache(backend);
  }

  /** x → x + attention, in place. */
  async attention(layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<void> {
    if (layer.numAttentionHeads > 0) await this.#rewrite("attention", layer, weights, states);
  }

  /** h → h + MLP, in place. */
  async mlp(layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<void> {
    if (layer.intermediateSize > 0) await this.#rewrite("mlp", layer, weights, states);
  }

  /** The whole layer, in place. */
  async forward(layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<void> {
    if (layer.numAttentionHeads > 0 && layer.intermediateSize > 0) await this.#rewrite("layer", layer, weights, states);
    else {
      await this.attention(layer, weights, states);
      await this.mlp(layer, weights, states);
    }
  }

  /** ZᵀZ and Σz of the MLP's neurons over states that stand between attention and MLP; the states stay as they are. */
  neuronSums(layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<InputSums> {
    return this.#sums("neurons", layer.intermediateSize, layer, weights, states);
  }

  /** The same of o_proj's input, the attention heads [tokens, numAttentionHeads · headDim], over states that enter the layer. */
  headSums(layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<InputSums> {
    return this.#sums("heads", layer.numAttentionHeads * this.spec.headDim, layer, weights, states);
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  async #rewrite(part: Part, layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<void> {
    // The last operation of each part is the residual addition, which may overwrite its own operand.
    for (const state of states) await this.#run(part, layer, weights, state, {}, { hidden: state.hidden });
  }

  async #sums(
    part: Part,
    size: number,
    layer: LayerSpec,
    weights: LayerWeights,
    states: readonly HiddenBatch[],
  ): Promise<InputSums> {
    const gram = { data: new Float32Array(size * size), shape: [size, size] };
    const total = { data: new Float32Array(size), shape: [1, size] };
    for (const state of states)
      await this.#run(part, layer, weights, state, { gramBefore: gram, totalBefore: total }, { gram, total });
    return { gram, total };
  }

  async #run(
    part: Part,
    layer: LayerSpec,
    weights: LayerWeights,
    { batch, length, hidden }: HiddenBatch,
    inputs: Record<string, Tensor>,
    into: Record<string, Tensor>,
  ): Promise<void> {
    const context: LayerContext = { spec: this.spec, layer, batch, length };
    const key = [part, batch, length, layer.numAttentionHeads, layer.numKeyValueHeads, layer.intermediateSize].join(
      " ",
    );
    const used = partWeights(part, weights);
    const program = await this.programs.get(key, () => partGraph(part, context, used));
    const position = part === "mlp" || part === "neurons" ? {} : this.position(layer, length);
    await program.run({ x: hidden, ...used, ...position, ...inputs }, into);
  }

  /** Rotary tables and mask of windows of a length in this layer. */
  position(layer: LayerSpec, length: number): PositionTensors {
    const key = `${length} ${layer.slidingWindow} ${JSON.stringify(layer.rope)}`;
    const position = this.#positions.get(key) ?? windowPosition(this.spec, layer, length);
    this.#positions.set(key, position);
    return position;
  }
}

/** The weights that a part of the layer needs. */
function partWeights(part: Part, weights: LayerWeights): LayerWeights {
  if (part === "layer") return weights;
  const wanted = part === "mlp" || part === "neurons";
  return Object.fromEntries(Object.entries(weights).filter(([role]) => MLP_ROLES.has(role as LayerRole) === wanted));
}

function partGraph(part: Part, context: LayerContext, weights: LayerWeights): Graph {
  const graph = new Graph();
  const x = graph.input("x", [context.batch * context.length, context.spec.hiddenSize]);
  const values = declareWeights(graph, weights);
  if (part === "attention")
    graph.output("hidden", attentionHalf(context, x, values, declarePosition(graph, context)).hidden);
  if (part === "mlp") graph.output("hidden", mlpHalf(context, x, values).hidden);
  if (part === "layer") {
    const { hidden } = attentionHalf(context, x, values, declarePosition(graph, context));
    graph.output("hidden", mlpHalf(context, hidden, values).hidden);
  }
  if (part === "neurons") addSums(graph, mlpHalf(context, x, values).neurons);
  if (part === "heads") addSums(graph, attentionHalf(context, x, values, declarePosition(graph, context)).heads);
  return graph;
}

function addSums(graph: Graph, inputs: Value): void {
  const size = inputs.shape[1]!;
  graph.output("gram", gemm(inputs, inputs, { transA: true, addTo: graph.input("gramBefore", [size, size]) }));
  graph.output("total", add(reshape(sum(inputs, [0]), [1, size]), graph.input("totalBefore", [1, size])));
}

export function declarePosition(graph: Graph, { spec, length }: LayerContext): Position {
  return {
    cos: graph.input("cos", [length, spec.headDim]),
    sin: graph.input("sin", [length, spec.headDim]),
    mask: graph.input("mask", [length, length]),
  };
}
