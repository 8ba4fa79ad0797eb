// Arrays that a sweep finds of the sublayers of each layer, put aside: together they are too much for memory.
import type { Form } from "../cache/remembered.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import type { Sublayer } from "../model/spec/roles.ts";

/** An array of each sublayer that has one. */
export type LayerArrays = ReadonlyMap<LayerIndex, Readonly<Partial<Record<Sublayer, StoredArray>>>>;
export type MutableLayerArrays = Map<LayerIndex, Partial<Record<Sublayer, StoredArray>>>;

/** Where each of the arrays of an entry belongs. */
type Places = readonly { readonly index: LayerIndex; readonly sublayer: Sublayer }[];

/** The arrays as an entry of the cache. */
export const layerArrays: Form<LayerArrays> = {
  apart(found) {
    const all = [...found].flatMap(([index, parts]) =>
      Object.entries(parts).map(([sublayer, stored]) => ({ place: { index, sublayer }, stored })),
    );
    return { data: all.map(({ place }) => place), arrays: all.map(({ stored }) => stored) };
  },
  together({ data, arrays }) {
    const found: MutableLayerArrays = new Map();
    for (const [i, { index, sublayer }] of (data as Places).entries())
      found.set(index, { ...found.get(index), [sublayer]: arrays[i]! });
    return found;
  },
};
