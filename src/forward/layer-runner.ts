// Runs parts of a decoder layer over batches of hidden states.
import type { Backend } from "../compute/backend.ts";
import { Graph, type Value } from "../compute/graph.ts";
import { add, gemm, reshape, sum } from "../compute/operations/index.ts";
import type { Tensor } from "../compute/tensor.ts";
import type { DecoderSpec, LayerSpec } from "../model/decoder-spec.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerRole } from "../model/tensor-names.ts";
import {
  attentionHalf,
  declareWeights,
  type LayerContext,
  type LayerValues,
  mlpHalf,
  type Position,
} from "./decoder-layer.ts";
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

/** Second moments of the neurons' activations, summed over tokens. */
export interface NeuronSums {
  readonly gram: Tensor<Float32Array>; // ZᵀZ [intermediateSize, intermediateSize]
  readonly total: Tensor<Float32Array>; // Σ z [1, intermediateSize]
}

type Part = "attention" | "mlp" | "layer" | "neurons";

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
  async neuronSums(layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<NeuronSums> {
    const m = layer.intermediateSize;
    const gram = { data: new Float32Array(m * m), shape: [m, m] };
    const total = { data: new Float32Array(m), shape: [1, m] };
    for (const state of states)
      await this.#run("neurons", layer, weights, state, { gramBefore: gram, totalBefore: total }, { gram, total });
    return { gram, total };
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  async #rewrite(part: Part, layer: LayerSpec, weights: LayerWeights, states: readonly HiddenBatch[]): Promise<void> {
    // The last operation of each part is the residual addition, which may overwrite its own operand.
    for (const state of states) await this.#run(part, layer, weights, state, {}, { hidden: state.hidden });
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
    const used = partWeights(part, weights);
    const sizes = [batch, length, layer.numAttentionHeads, layer.numKeyValueHeads, layer.intermediateSize];
    const key = [part, ...sizes, ...Object.keys(used)].join(" "); // a pruned layer may have a bias that others lack
    const program = await this.programs.get(key, () => partGraph(part, context, used));
    const position = part === "attention" || part === "layer" ? this.position(layer, length) : {};
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
  const wanted = part !== "attention";
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
  if (part === "neurons") addNeuronSums(graph, context, x, values);
  return graph;
}

function addNeuronSums(graph: Graph, context: LayerContext, x: Value, values: LayerValues): void {
  const m = context.layer.intermediateSize;
  const { neurons } = mlpHalf(context, x, values);
  graph.output("gram", gemm(neurons, neurons, { transA: true, addTo: graph.input("gramBefore", [m, m]) }));
  graph.output("total", add(reshape(sum(neurons, [0]), [1, m]), graph.input("totalBefore", [1, m])));
}

export function declarePosition(graph: Graph, { spec, length }: LayerContext): Position {
  return {
    cos: graph.input("cos", [length, spec.headDim]),
    sin: graph.input("sin", [length, spec.headDim]),
    mask: graph.input("mask", [length, length]),
  };
}
