// Sends hidden states through decoder layers, or through one sublayer.
import { Graph } from "../../compute/graph.ts";
import type { Model } from "../../model/model.ts";
import { type DecoderLayer, type LayerWeights, readLayer } from "../../model/read-layer.ts";
import { layerIndices } from "../../model/spec/layer-index.ts";
import type { Sublayer } from "../../model/spec/tensor-names.ts";
import {
  declareWeights,
  hasSublayer,
  type LayerContext,
  sublayer,
  sublayerWeights,
  wholeLayer,
} from "../graphs/decoder-layer.ts";
import type { HiddenStates } from "./hidden-states.ts";
import { LayerPrograms, layerKey } from "./programs.ts";
import { type ProjectionInputs, project } from "./project.ts";
import { type FoundStatistics, projectionStatistics, type WantedStatistics } from "./projection-statistics.ts";

type Part = Sublayer | "layer";

/** Runs the layers of one model on one backend. Layers may have other sizes and weights than the model's own. */
export class LayerRunner extends LayerPrograms {
  /** The whole layer, in place. */
  async layer(layer: DecoderLayer, states: HiddenStates): Promise<void> {
    const isWhole = hasSublayer("attention", layer.sizes) && hasSublayer("mlp", layer.sizes);
    if (isWhole) return this.#rewrite("layer", layer, states);
    await this.sublayer("attention", layer, states);
    await this.sublayer("mlp", layer, states);
  }

  /** One sublayer with its residual, in place; nothing happens where the layer has none. */
  async sublayer(name: Sublayer, layer: DecoderLayer, states: HiddenStates): Promise<void> {
    if (hasSublayer(name, layer.sizes)) await this.#rewrite(name, layer, states);
  }

  /** Sums at the projection that ends a sublayer, over states that stand before the sublayer and stay as they are. */
  projectionStatistics(
    name: Sublayer,
    layer: DecoderLayer,
    states: HiddenStates,
    wanted: WantedStatistics,
  ): Promise<FoundStatistics> {
    return projectionStatistics(this, name, layer, states, wanted);
  }

  /** One sublayer as of `sublayer`, where what enters its projection is known: nothing ahead of it is computed again. */
  project(name: Sublayer, layer: DecoderLayer, inputs: ProjectionInputs, states: HiddenStates): Promise<void> {
    return project(this, name, layer, inputs, states);
  }

  async #rewrite(part: Part, { sizes, weights }: DecoderLayer, states: HiddenStates): Promise<void> {
    const used = part === "layer" ? weights : sublayerWeights(part, weights);
    for (let i = 0; i < states.batchCount; i++)
      await states.update(i, async ({ batch, length, hidden }) => {
        const context: LayerContext = { spec: this.spec, sizes, batch, length };
        const key = [part, ...layerKey(context, used)] as const;
        const program = await this.programs.get(key, () => partGraph(part, context, used));
        const position = part === "mlp" ? {} : this.position(sizes, length);
        // The last operation of each part is the residual addition, which may overwrite its own operand.
        await program.run({ x: hidden, ...used, ...position }, { hidden });
      });
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
