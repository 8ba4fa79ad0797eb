// Runs parts of a decoder layer over batches of hidden states.
import type { Backend } from "../../compute/backend.ts";
import { Graph } from "../../compute/graph.ts";
import { type RunningSums, sumsBefore } from "../../compute/running-sums.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../../model/spec/decoder-spec.ts";
import type { Half, LayerRole } from "../../model/spec/tensor-names.ts";
import {
  attentionHalf,
  declareWeights,
  type LayerContext,
  mlpHalf,
  type Position,
  wholeLayer,
} from "../graphs/decoder-layer.ts";
import { type PositionTensors, windowPosition } from "../graphs/position.ts";
import { type HiddenBatch, type HiddenStates, sliceOf } from "./hidden-states.ts";
import { ProgramCache } from "./programs.ts";
import {
  type AllSums,
  driftGraph,
  emptySums,
  finishedSums,
  inputSize,
  mergeSums,
  type ProjectionSums,
  projectionSumsGraph,
  type SumsOptions,
} from "./projection-sums.ts";

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

type Part = Half | "layer";

/** What the pass over a batch adds beside the moments. */
interface WantedOfBatch {
  readonly scaled: boolean;
  readonly target: HiddenBatch | undefined;
  /** Gets what enters the projection. */
  readonly inputs: Tensor[] | undefined;
}

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
  async attention(layer: LayerSpec, weights: LayerWeights, states: HiddenStates): Promise<void> {
    if (layer.numAttentionHeads > 0) await this.#rewrite("attention", layer, weights, states);
  }

  /** h → h + MLP, in place. */
  async mlp(layer: LayerSpec, weights: LayerWeights, states: HiddenStates): Promise<void> {
    if (layer.intermediateSize > 0) await this.#rewrite("mlp", layer, weights, states);
  }

  /** The whole layer, in place. */
  async forward(layer: LayerSpec, weights: LayerWeights, states: HiddenStates): Promise<void> {
    if (layer.numAttentionHeads > 0 && layer.intermediateSize > 0) await this.#rewrite("layer", layer, weights, states);
    else {
      await this.attention(layer, weights, states);
      await this.mlp(layer, weights, states);
    }
  }

  /** Moments of what enters the projection of a half, over states that stand before that half; the states stay as they are. */
  async projectionSums(
    half: Half,
    layer: LayerSpec,
    weights: LayerWeights,
    states: HiddenStates,
    { scaled, target, holdsOut = false, keepsInputs = false }: SumsOptions,
  ): Promise<AllSums> {
    const size = inputSize(this.spec, layer, half);
    const empty = (): RunningSums => emptySums(this.spec, size, target !== undefined);
    const [seen, apart] = [empty(), holdsOut ? empty() : undefined];
    const inputs: Tensor[] | undefined = keepsInputs && !holdsOut ? [] : undefined;
    const add = (state: HiddenBatch, wanted: HiddenBatch | undefined, to: RunningSums): Promise<void> =>
      this.#addSums(half, layer, weights, state, to, { scaled, target: wanted, inputs });
    const targets = target && asyncIterator(target);
    for await (const state of states) {
      const wanted = (await targets?.next())?.value as HiddenBatch | undefined;
      if (apart && state.batch > 1) {
        await add(sliceOf(state, 0, -1), wanted && sliceOf(wanted, 0, -1), seen);
        await add(sliceOf(state, -1), wanted && sliceOf(wanted, -1), apart);
      } else await add(state, wanted, seen);
    }
    await targets?.next();
    const sums = finishedSums(this.spec, size, seen);
    const heldOut = apart && finishedSums(this.spec, size, apart);
    if (heldOut) mergeSums(sums, heldOut);
    for (const some of [sums, heldOut]) if (target && some) await this.#takeOffWritten(half, layer, weights, some);
    return { ...sums, heldOut, inputs };
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  async #rewrite(part: Part, layer: LayerSpec, weights: LayerWeights, states: HiddenStates): Promise<void> {
    const used = partWeights(part, weights);
    for await (const { batch, length, hidden } of states) {
      const context: LayerContext = { spec: this.spec, layer, batch, length };
      const program = await this.programs.get(keyOf(part, context, used), () => partGraph(part, context, used));
      // The last operation of each part is the residual addition, which may overwrite its own operand.
      await program.run({ x: hidden, ...used, ...this.#positionOf(part, layer, length) }, { hidden });
    }
  }

  async #addSums(
    half: Half,
    layer: LayerSpec,
    weights: LayerWeights,
    { batch, length, hidden }: HiddenBatch,
    sums: RunningSums,
    { scaled, target, inputs }: WantedOfBatch,
  ): Promise<void> {
    const context: LayerContext = { spec: this.spec, layer, batch, length };
    const used = partWeights(half, weights);
    const [hasTarget, keepsInputs] = [target !== undefined, inputs !== undefined];
    const key = keyOf(`${half} sums ${scaled} ${hasTarget} ${keepsInputs}`, context, used);
    const program = await this.programs.get(key, () =>
      projectionSumsGraph(half, context, used, declarePosition, { scaled, hasTarget, keepsInputs }),
    );
    const wanted = target ? { target: target.hidden } : {};
    const given = { x: hidden, ...used, ...this.#positionOf(half, layer, length), ...sumsBefore(sums), ...wanted };
    const results = await program.run(given, sums);
    inputs?.push(results.inputs!);
  }

  /** Makes the drift of what was asked for in all, where that is done once for all tokens. */
  async #takeOffWritten(half: Half, layer: LayerSpec, weights: LayerWeights, sums: ProjectionSums): Promise<void> {
    const context: LayerContext = { spec: this.spec, layer, batch: 0, length: 0 }; // it sees sums, no tokens
    const used = partWeights(half, weights);
    const graph = driftGraph(half, context, used);
    if (graph === undefined) return;
    const program = await this.programs.get(keyOf(`${half} drift`, context, used), () => graph);
    const { gram, total, drift } = sums;
    await program.run({ ...used, gram, total, asked: drift }, { drift });
  }

  #positionOf(part: Part, layer: LayerSpec, length: number): Partial<PositionTensors> {
    return part === "mlp" ? {} : this.position(layer, length);
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
  if (part === "layer")
    graph.output("hidden", wholeLayer(context, x, values, () => declarePosition(graph, context)).hidden);
  return graph;
}

/** A pruned layer may have a bias that others lack, hence the roles. */
export function keyOf(part: string, { batch, length, layer }: LayerContext, weights: LayerWeights): string {
  const { numAttentionHeads, numKeyValueHeads, intermediateSize } = layer;
  return [part, batch, length, numAttentionHeads, numKeyValueHeads, intermediateSize, ...Object.keys(weights)].join(
    " ",
  );
}

const asyncIterator = (states: HiddenStates): AsyncIterator<HiddenBatch> | Iterator<HiddenBatch> =>
  Symbol.asyncIterator in states ? states[Symbol.asyncIterator]() : states[Symbol.iterator]();

export function declarePosition(graph: Graph, { spec, length }: LayerContext): Position {
  return {
    cos: graph.input("cos", [length, spec.headDim]),
    sin: graph.input("sin", [length, spec.headDim]),
    mask: graph.input("mask", [length, length]),
  };
}
