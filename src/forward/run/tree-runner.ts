// Sends trees of tokens through a model, one layer in memory at a time.
import { Graph } from "../../compute/graph.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import { type DecoderLayer, type LayerWeights, readLayer } from "../../model/read-layer.ts";
import { layerIndices } from "../../model/spec/layer-index.ts";
import { attentionOf, type LayerSpec, mixtureOf } from "../../model/spec/parts.ts";
import { hasSublayer } from "../../model/spec/roles.ts";
import { layOut, type TokenTree, type TreeBatch, treeBatches } from "../../model/spec/token-trees.ts";
import { sublayerWeights, wholeLayer } from "../graphs/decoder-layer.ts";
import { declareWeights, type LayerContext } from "../graphs/layer-values.ts";
import type { PositionTensors } from "../graphs/position.ts";
import { declareTreePosition, treePosition } from "../graphs/tree-position.ts";
import { embedAt } from "./embed.ts";
import type { HiddenStates } from "./hidden-states.ts";
import { runMixture } from "./mixture.ts";
import { LayerPrograms, layerKey } from "./programs.ts";

/** States on their way, and where their tokens stand. */
interface MovingBatch {
  readonly trees: TreeBatch;
  readonly hidden: Tensor<Float32Array>; // [batch · length, hiddenSize]
  /** By what of a layer decides them. */
  readonly positions: Map<string, PositionTensors>;
}

/** Runs trees through the layers of one model on one backend. */
export class TreeRunner extends LayerPrograms {
  /**
   * Hidden states after the last layer, one array [tokens, hiddenSize] for each tree: tokens as `pathOf` numbers them, padding
   * behind.
   *
   * @param trees   the longest first
   * @param onLayer called when a layer is done
   */
  async run(
    model: Model,
    trees: readonly TokenTree[],
    { onLayer, signal }: { onLayer?: () => void; signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array[]> {
    const { hiddenSize } = this.spec;
    const batches: MovingBatch[] = [];
    for (const { start, end } of treeBatches(trees)) {
      const laidOut = layOut(trees.slice(start, end));
      const all = await embedAt(model, laidOut.ids, laidOut.positions);
      batches.push({ trees: laidOut, hidden: tensor(all, [laidOut.ids.length, hiddenSize]), positions: new Map() });
    }
    for (const index of layerIndices(this.spec)) {
      signal?.throwIfAborted();
      const layer = await readLayer(model, index);
      await this.#layer(layer, batches);
      onLayer?.();
    }
    return batches.flatMap(({ trees: { batch, length }, hidden }) =>
      Array.from({ length: batch }, (_, i) => {
        const size = length * hiddenSize;
        return hidden.data.subarray(i * size, (i + 1) * size);
      }),
    );
  }

  /** In place. Experts follow the token mixer of all trees, so that each is read once. */
  async #layer(layer: DecoderLayer, batches: readonly MovingBatch[]): Promise<void> {
    const { sizes } = layer;
    if (mixtureOf(sizes) === undefined) return this.#rewrite(layer, batches);
    const weights = sublayerWeights("attention", this.spec, layer);
    await this.#rewrite({ sizes: { ...sizes, channel: null }, weights }, batches);
    await runMixture(this, layer, statesOf(batches));
  }

  /** Nothing happens where the layer has no sublayer. */
  async #rewrite({ sizes, weights }: DecoderLayer, batches: readonly MovingBatch[]): Promise<void> {
    if (!hasSublayer("attention", sizes) && !hasSublayer("mlp", sizes)) return;
    for (const moving of batches) {
      const { batch, length } = moving.trees;
      const context: LayerContext = { spec: this.spec, sizes, batch, length };
      const program = await this.programs.get(["trees", ...layerKey(context, weights)], () =>
        treeGraph(context, weights, moving.trees),
      );
      const { hidden } = moving;
      await program.run({ x: hidden, ...weights, ...this.#position(sizes, moving) }, { hidden });
    }
  }

  #position(sizes: LayerSpec, { trees, positions }: MovingBatch): PositionTensors {
    const { slidingWindow, rope } = attentionOf(sizes) ?? {};
    const key = `${sizes.mixer?.kind} ${slidingWindow} ${JSON.stringify(rope)}`;
    const position = positions.get(key) ?? treePosition(this.spec, sizes, trees);
    positions.set(key, position);
    return position;
  }
}

function treeGraph(context: LayerContext, weights: LayerWeights, trees: TreeBatch): Graph {
  const { spec, sizes, batch, length } = context;
  const graph = new Graph();
  const x = graph.input("x", [batch * length, spec.hiddenSize]);
  const values = declareWeights(graph, weights);
  const position = declareTreePosition(graph, spec, sizes, trees);
  graph.output("hidden", wholeLayer(context, x, values, position).hidden);
  return graph;
}

function statesOf(moving: readonly MovingBatch[]): HiddenStates {
  const batches = moving.map(({ trees: { batch, length }, hidden }) => ({ batch, length, hidden }));
  return {
    batchCount: batches.length,
    read: (index, use) => use(batches[index]!),
    update: (index, change) => change(batches[index]!),
  };
}
