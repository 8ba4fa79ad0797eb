// Sends hidden states through decoder layers, or through one sublayer.
import { Graph } from "../../compute/graph.ts";
import { tensor } from "../../compute/tensor.ts";
import { allInMemory } from "../../linalg/projection.ts";
import type { Model } from "../../model/model.ts";
import { type DecoderLayer, type LayerWeights, readLayer } from "../../model/read-layer.ts";
import { layerIndices } from "../../model/spec/layer-index.ts";
import { mixtureOf } from "../../model/spec/parts.ts";
import { hasSublayer, type Sublayer } from "../../model/spec/roles.ts";
import { isParallel, sublayer, sublayerWeights, takesPosition, wholeLayer } from "../graphs/decoder-layer.ts";
import { declareWeights, type LayerContext } from "../graphs/layer-values.ts";
import type { HiddenBatch, HiddenStates } from "./hidden-states.ts";
import { runMixture } from "./mixture.ts";
import { LayerPrograms, layerKey } from "./programs.ts";
import { type ProjectionInputs, project } from "./project.ts";
import { type FoundStatistics, finishSums, keepInMemory } from "./projection-statistics.ts";
import { gatherSums, type WantedStatistics } from "./projection-sums.ts";

type Part = Sublayer | "layer";

/** Runs the layers of one model on one backend. Layers may have other sizes and weights than the model's own. */
export class LayerRunner extends LayerPrograms {
  /** The whole layer, in place. */
  async layer(layer: DecoderLayer, states: HiddenStates): Promise<void> {
    const isWhole =
      hasSublayer("attention", layer.sizes) && hasSublayer("mlp", layer.sizes) && mixtureOf(layer.sizes) === undefined;
    if (isWhole) return this.#rewrite("layer", layer, states);
    await this.sublayer("attention", layer, states);
    await this.sublayer("mlp", layer, states);
  }

  /**
   * One sublayer with its residual, in place; nothing happens where the layer has none. The attention of a parallel layer leaves
   * the states where they are, and its MLP takes them through both.
   */
  async sublayer(name: Sublayer, layer: DecoderLayer, states: HiddenStates): Promise<void> {
    if (name === "attention" && isParallel(this.spec, layer)) return;
    if (name === "mlp" && mixtureOf(layer.sizes)) await runMixture(this, layer, states);
    else if (hasSublayer(name, layer.sizes)) await this.#rewrite(name, layer, states);
  }

  /**
   * What comes out of a sublayer, where the states that enter it have to stay: the attention of a parallel layer. Each reading
   * computes it anew. Other states have gone through the sublayer before.
   */
  behind(name: Sublayer, layer: DecoderLayer, states: HiddenStates): HiddenStates {
    return name === "attention" && isParallel(this.spec, layer) ? new StatesBehind(this, layer, states) : states;
  }

  /** One batch through the attention alone, whatever it belongs to. */
  async attention(layer: DecoderLayer, { batch, length, hidden }: HiddenBatch): Promise<HiddenBatch> {
    const own = tensor(hidden.data.slice(), hidden.shape);
    await this.#run("attention", layer, sublayerWeights("attention", this.spec, layer), { batch, length, hidden: own });
    return { batch, length, hidden: own };
  }

  /** Sums at the projection that ends a sublayer, over states that stand before the sublayer and stay as they are. */
  async projectionStatistics(
    name: Sublayer,
    layer: DecoderLayer,
    states: HiddenStates,
    wanted: WantedStatistics,
  ): Promise<FoundStatistics> {
    const sums = await gatherSums(this, name, layer, states, wanted);
    const found = await finishSums(this, name, layer, sums, keepInMemory);
    return { statistics: await allInMemory(found), inputs: sums.inputs, entries: sums.whole.entries?.tensor.data };
  }

  /** One sublayer as of `sublayer`, where what enters its projection is known: nothing ahead of it is computed again. */
  project(name: Sublayer, layer: DecoderLayer, inputs: ProjectionInputs, states: HiddenStates): Promise<void> {
    return project(this, name, layer, inputs, states);
  }

  async #rewrite(part: Part, layer: DecoderLayer, states: HiddenStates): Promise<void> {
    const used = part === "layer" ? layer.weights : sublayerWeights(part, this.spec, layer);
    for (let i = 0; i < states.batchCount; i++) await states.update(i, (batch) => this.#run(part, layer, used, batch));
  }

  /** One batch, in place. */
  async #run(
    part: Part,
    layer: DecoderLayer,
    used: LayerWeights,
    { batch, length, hidden }: HiddenBatch,
  ): Promise<void> {
    const { sizes } = layer;
    const context: LayerContext = { spec: this.spec, sizes, batch, length };
    const key = [part, ...layerKey(context, used)] as const;
    const program = await this.programs.get(key, () => partGraph(part, context, used));
    const isPlaced = part === "layer" || takesPosition(part, this.spec, layer);
    const position = isPlaced ? this.position(sizes, length) : {};
    // The last operation of each part is the residual addition, which may overwrite its own operand.
    await program.run({ x: hidden, ...used, ...position }, { hidden });
  }
}

/** The states behind an attention, computed when they are read; they cannot be changed. */
class StatesBehind implements HiddenStates {
  readonly #runner: LayerRunner;
  readonly #layer: DecoderLayer;
  readonly #before: HiddenStates;

  constructor(runner: LayerRunner, layer: DecoderLayer, before: HiddenStates) {
    this.#runner = runner;
    this.#layer = layer;
    this.#before = before;
  }

  get batchCount(): number {
    return this.#before.batchCount;
  }

  read<T>(index: number, use: (batch: HiddenBatch) => Promise<T>): Promise<T> {
    return this.#before.read(index, async (batch) => use(await this.#runner.attention(this.#layer, batch)));
  }

  update(): never {
    throw new RangeError("states behind an attention are computed when they are read, and cannot be changed");
  }
}

/** Sends hidden states through all layers of a model, in place; one layer at a time is in memory. */
export async function runLayers(
  runner: LayerRunner,
  model: Model,
  states: HiddenStates,
  signal?: AbortSignal,
): Promise<void> {
  for (const index of layerIndices(model.spec)) {
    signal?.throwIfAborted();
    await runner.layer(await readLayer(model, index), states);
  }
}

function partGraph(part: Part, context: LayerContext, weights: LayerWeights): Graph {
  const graph = new Graph();
  const x = graph.input("x", [context.batch * context.length, context.spec.hiddenSize]);
  const values = declareWeights(graph, weights);
  const { hidden } = part === "layer" ? wholeLayer(context, x, values) : sublayer(part, context, x, values);
  graph.output("hidden", hidden);
  return graph;
}
