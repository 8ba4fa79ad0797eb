// Which whole layers may go: transformers' cache needs an attention, so that one always stays.
import { CompError } from "../errors.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { attentionOf } from "../model/spec/parts.ts";

/**
 * The layers that stay when `count` go, ascending.
 *
 * @param ranked all layers in the order in which they should go; the last attention in it stays
 */
export function keepRanked(spec: DecoderSpec, ranked: readonly LayerIndex[], count: number): LayerIndex[] {
  const last = ranked.findLast((index) => attentionOf(spec.layers[index]!) !== undefined);
  const removed = new Set(ranked.filter((index) => index !== last || ranked.length === 1).slice(0, count));
  return layerIndices(spec).filter((index) => !removed.has(index));
}

/**
 * The layers in an order in which they can go as far as their number decides: the first ones first, which are as good as any
 * where all have the same shape. Where they differ in a mixer the smallest go first, so that any others bring no less.
 */
export function anyOrder(spec: DecoderSpec): LayerIndex[] {
  const indices = layerIndices(spec);
  const differ = (["mixer", "channel"] as const).some((part) => {
    const kinds = new Set(spec.layers.flatMap((layer) => layer[part]?.kind ?? []));
    return kinds.size > 1;
  });
  if (!differ) return indices;
  const { layers } = countParameters(spec);
  return indices.toSorted((a, b) => layers[a]!.total - layers[b]!.total);
}

/** @throws {CompError} "option" when a model that has attention among other mixers would lose all of it */
export function checkAttentionStays({ layers, family }: DecoderSpec, removed: readonly LayerIndex[]): void {
  const attentions = layerIndices({ layers }).filter((index) => attentionOf(layers[index]!) !== undefined);
  if (attentions.length === 0 || attentions.some((index) => !removed.includes(index))) return;
  throw new CompError(
    "option",
    `--layers removes every attention of this ${family}, which transformers cannot run then`,
    {
      hint: `keep at least one of the layers ${attentions.join(", ")}`,
    },
  );
}
