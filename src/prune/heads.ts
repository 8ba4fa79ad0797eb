// Kept heads → smaller attention matrices.
import { tensor } from "../compute/tensor.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerRole } from "../model/spec/tensor-names.ts";
import { takeRows } from "./take-rows.ts";

/** Roles whose first dimension is the elements of query heads, and of key-value heads. */
const QUERY_ROWS: readonly LayerRole[] = ["qProj", "qBias"];
const KEY_VALUE_ROWS: readonly LayerRole[] = ["kProj", "kBias", "vProj", "vBias"];

/** The elements of some heads, one head after the other. */
export const headElements = (heads: Int32Array, headDim: number): Int32Array =>
  Int32Array.from(
    { length: heads.length * headDim },
    (_, i) => heads[Math.floor(i / headDim)]! * headDim + (i % headDim),
  );

/**
 * The layer with only the kept heads; norms of queries and keys, which are the same for all heads, stay.
 *
 * @param heads         query heads, group by group as they were
 * @param keyValueHeads the key-value heads that they read, in the same order
 * @param oProj         recovered weights of the kept heads' elements, f32 [hiddenSize, heads.length · headDim]
 */
export function pruneHeads(
  weights: LayerWeights,
  { heads, keyValueHeads }: { readonly heads: Int32Array; readonly keyValueHeads: Int32Array },
  headDim: number,
  oProj: Float32Array,
): LayerWeights {
  const hiddenSize = weights.oProj!.shape[0]!;
  return {
    ...weights,
    ...takeRows(weights, QUERY_ROWS, headElements(heads, headDim)),
    ...takeRows(weights, KEY_VALUE_ROWS, headElements(keyValueHeads, headDim)),
    oProj: tensor(oProj, [hiddenSize, heads.length * headDim]),
  };
}
