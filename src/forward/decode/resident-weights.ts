// Weights for decoding token by token, where every token passes through the whole model: held in memory when they fit,
// read again for each token when they do not.
import { elementCount } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import { type LayerWeights, readLayer } from "../../model/read-layer.ts";
import { type HeadTile, headTiles } from "../run/head-tiles.ts";

/** Bytes of all weights as f32: what decoding holds in memory. */
export function residentBytes(model: Model): number {
  return [...model.tensors.values()].reduce((total, { shape }) => total + 4 * elementCount(shape), 0);
}

/** Gives the weights of layers and head, kept or not. */
export class ResidentWeights {
  readonly model: Model;
  readonly #keep: boolean;
  readonly #layers = new Map<number, LayerWeights>();
  readonly #tiles: HeadTile[] = [];

  constructor(model: Model, budgetBytes: number) {
    this.model = model;
    this.#keep = residentBytes(model) <= budgetBytes;
  }

  async layer(index: number): Promise<LayerWeights> {
    const weights = this.#layers.get(index) ?? (await readLayer(this.model, index));
    if (this.#keep) this.#layers.set(index, weights);
    return weights;
  }

  async *tiles(): AsyncGenerator<HeadTile> {
    if (this.#tiles.length > 0) return yield* this.#tiles;
    for await (const tile of headTiles(this.model)) {
      if (this.#keep) this.#tiles.push(tile);
      yield tile;
    }
  }
}
