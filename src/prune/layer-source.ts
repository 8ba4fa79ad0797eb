// A layer that is being pruned, as its parts are needed: whole in memory where there is room, else read from the model anew each time.
import { PROJECTION_ROLES } from "../forward/graphs/decoder-layer.ts";
import type { Model } from "../model/model.ts";
import { type DecoderLayer, type LayerWeights, putOff, readLayer } from "../model/read-layer.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { type LayerSpec, mixtureOf } from "../model/spec/parts.ts";
import { type LayerRole, type Sublayer, sublayerOf } from "../model/spec/roles.ts";

export interface LayerSource {
  readonly sizes: LayerSpec;
  /** The layer with the weights of a sublayer at least; what is read goes when nobody holds it. */
  read(name: Sublayer): Promise<DecoderLayer>;
  /** The layer with what takes part in the projection that ends a sublayer, at least. */
  readProjection(name: Sublayer): Promise<DecoderLayer>;
  /** The layer once its attention is cut, for its MLP to be. */
  behind(cut: DecoderLayer): LayerSource;
  /** Weights that are finished and wait to be written. */
  waiting(weights: LayerWeights): () => Promise<LayerWeights>;
}

/** A layer of the model. @param whole whether it is held in memory as a whole */
export async function openLayer(model: Model, index: LayerIndex, whole: boolean): Promise<LayerSource> {
  const sizes = model.spec.layers[index]!;
  // a parallel MLP takes the weights of the attention too, and a mixture reads its experts one by one in any case
  const isHeld = whole || model.spec.parallel || mixtureOf(sizes) !== undefined;
  return isHeld ? heldLayer(await readLayer(model, index)) : layerInFile(model, index, sizes);
}

export const heldLayer = (layer: DecoderLayer): LayerSource => ({
  sizes: layer.sizes,
  read: async () => layer,
  readProjection: async () => layer,
  behind: heldLayer,
  waiting: (weights) => async () => weights,
});

function layerInFile(model: Model, index: LayerIndex, sizes: LayerSpec): LayerSource {
  const read = async (wanted: (role: LayerRole) => boolean): Promise<DecoderLayer> => ({
    ...(await readLayer(model, index, wanted)),
    sizes,
  });
  return {
    sizes,
    read: (name) => read((role) => sublayerOf(role) === name),
    readProjection: (name) => read((role) => Object.values(PROJECTION_ROLES[name]).includes(role)),
    behind: (cut) => layerInFile(model, index, cut.sizes),
    waiting: (weights) => putOff(model, weights),
  };
}
