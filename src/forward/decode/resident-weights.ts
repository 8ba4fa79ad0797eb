// Weights for decoding token by token, where every token passes through the whole model: held in memory when they fit,
// read again for each token when they do not.
import { elementCount } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import { type DecoderLayer, type Experts, type LayerWeights, readLayer } from "../../model/read-layer.ts";
import type { LayerIndex } from "../../model/spec/layer-index.ts";
import { type HeadTile, readTile, type TileRange } from "../run/head-tiles.ts";

/** Bytes of all weights as f32: what decoding holds in memory. */
export function residentBytes(model: Model): number {
  return [...model.tensors.values()].reduce((total, { shape }) => total + 4 * elementCount(shape), 0);
}

/** Experts that stay in memory once they are read. */
function residentExperts({ count, read }: Experts): Experts {
  const kept = new Map<number, Promise<LayerWeights>>();
  return {
    count,
    read(expert) {
      const weights = kept.get(expert) ?? read(expert);
      kept.set(expert, weights);
      return weights;
    },
  };
}

/** Gives the weights of layers and head, kept or not. */
export class ResidentWeights {
  readonly model: Model;
  readonly #keep: boolean;
  readonly #layers = new Map<LayerIndex, DecoderLayer>();
  readonly #tiles = new Map<number, HeadTile>();

  constructor(model: Model, budgetBytes: number) {
    this.model = model;
    this.#keep = residentBytes(model) <= budgetBytes;
  }

  async layer(index: LayerIndex): Promise<DecoderLayer> {
    const layer = this.#layers.get(index) ?? this.#kept(await readLayer(this.model, index));
    if (this.#keep) this.#layers.set(index, layer);
    return layer;
  }

  #kept(layer: DecoderLayer): DecoderLayer {
    return this.#keep && layer.experts ? { ...layer, experts: residentExperts(layer.experts) } : layer;
  }

  /** A tile of the head, one of `tileRanges`. */
  async tile(range: TileRange): Promise<HeadTile> {
    const tile = this.#tiles.get(range.start) ?? (await readTile(this.model, range));
    if (this.#keep) this.#tiles.set(range.start, tile);
    return tile;
  }
}
