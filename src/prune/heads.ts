// Heads of an attention: which of them stay, and the smaller matrices.
import { tensor } from "../compute/tensor.ts";
import { type HeadCut, removeHeads } from "../importance/heads.ts";
import { allIndices } from "../linalg/gather.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerSizes } from "../model/spec/parts.ts";
import type { LayerRole } from "../model/spec/roles.ts";
import { takeRows } from "../model/take-rows.ts";
import type { Recovered } from "../recover/recovery.ts";
import type { Choice, Ranking, SublayerCut } from "./sublayer.ts";

/** Roles whose first dimension is the elements of query heads, and of key-value heads. */
const QUERY_ROWS: readonly LayerRole[] = ["qProj", "qBias", "qGate", "qHeadNorms"];
const KEY_VALUE_ROWS: readonly LayerRole[] = ["kProj", "kBias", "vProj", "vBias", "kHeadNorms"];

/** Ridge of a refit of o_proj that loses no heads: what is not worth much there is better left to down_proj. */
const UNCUT_RIDGE = 1e-2;

export interface HeadChoice extends Choice {
  /** Query heads that stay, ascending: group by group. */
  readonly heads: Int32Array;
  /** The key-value heads that they read, ascending. */
  readonly keyValueHeads: Int32Array;
}

/** Each head is headDim neighbouring inputs of o_proj, which has no place for a bias that a recovery adds. */
export const headCut: SublayerCut<HeadChoice> = {
  sublayer: "attention",
  tellsError: false,
  uncutRidge: UNCUT_RIDGE,
  ownSizes: ({ numAttentionHeads, numKeyValueHeads }) => ({ numAttentionHeads, numKeyValueHeads }),
  width: ({ numAttentionHeads }) => numAttentionHeads,
  all: ({ numAttentionHeads, numKeyValueHeads }, inputSize) => ({
    heads: allIndices(numAttentionHeads),
    keyValueHeads: allIndices(numKeyValueHeads),
    inputs: allIndices(inputSize),
    costs: new Float64Array(0),
  }),
  choose: (ranking, layer, sizes) => chooseHeads(ranking, layer, cutBetween(layer, sizes)),
  take: takeHeads,
};

/** The heads that stay when `cut` goes from a layer of these sizes; the criterion has to know the costs of blocks. */
export async function chooseHeads(
  { criterion, projection, statistics, context }: Omit<Ranking, "order">,
  { numAttentionHeads, numKeyValueHeads }: LayerSizes,
  cut: HeadCut,
): Promise<HeadChoice> {
  const headDim = projection.inputSize / numAttentionHeads;
  const blocks = await criterion.blockCosts!(projection, statistics, headDim, context);
  const kept = await removeHeads(blocks, { numAttentionHeads, numKeyValueHeads, headDim }, cut);
  return { ...kept, inputs: headElements(kept.heads, headDim) };
}

/** What goes from a layer that shall have `sizes`. */
function cutBetween(layer: LayerSizes, { numAttentionHeads, numKeyValueHeads }: LayerSizes): HeadCut {
  const heads = layer.numAttentionHeads / layer.numKeyValueHeads - numAttentionHeads / numKeyValueHeads;
  return { kvGroups: layer.numKeyValueHeads - numKeyValueHeads, heads };
}

/**
 * The weights of the heads that stay; norms of queries and keys, which are the same for all heads, stay too.
 *
 * @param recovered o_proj of the kept heads' elements, f32 [hiddenSize, heads.length · headDim]
 */
export function takeHeads(
  weights: LayerWeights,
  { heads, keyValueHeads, inputs }: Omit<HeadChoice, "costs">,
  { weight }: Recovered,
): LayerWeights {
  const hiddenSize = weights.oProj!.shape[0]!;
  const headDim = inputs.length / heads.length;
  return {
    ...weights,
    ...takeRows(weights, QUERY_ROWS, headElements(heads, headDim)),
    ...takeRows(weights, ["sinks"], heads),
    ...takeRows(weights, KEY_VALUE_ROWS, headElements(keyValueHeads, headDim)),
    oProj: tensor(weight, [hiddenSize, inputs.length]),
  };
}

/** The elements of some heads, one head after the other. */
export const headElements = (heads: Int32Array, headDim: number): Int32Array =>
  Int32Array.from(
    { length: heads.length * headDim },
    (_, i) => heads[Math.floor(i / headDim)]! * headDim + (i % headDim),
  );
