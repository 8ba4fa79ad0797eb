// Heads that every layer gives up alike, before any neuron goes.
import { CompError } from "../errors.ts";
import type { HeadCount, Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { layerPositions } from "../model/spec/layer-index.ts";
import { type Attention, attentionOf, type LayerSizes, resized } from "../model/spec/parts.ts";
import { isProtected } from "./equal-widths.ts";

/** The model without the heads that go by number or by share; protected layers keep theirs. */
export function withoutHeads(
  spec: DecoderSpec,
  { heads, protectedLayers }: Pick<Method, "heads" | "protectedLayers">,
  sparsity: number,
): DecoderSpec {
  if (heads.kind === "none") return spec;
  const layers = layerPositions(spec).map((position) => {
    const layer = spec.layers[position]!;
    const attention = attentionOf(layer);
    if (attention === undefined || isProtected(position, spec.layers.length, protectedLayers)) return layer;
    const cut = heads.kind === "count" ? heads : shareOf(attention, sparsity);
    return resized(layer, attentionWithout(attention, position, cut));
  });
  return { ...spec, layers };
}

/** As near to a share of the heads as every group can give, but one stays: query heads, or groups where each has but one. */
function shareOf({ numAttentionHeads, numKeyValueHeads }: Attention, share: number): HeadCount {
  const group = numAttentionHeads / numKeyValueHeads;
  const part = (count: number): number => Math.min(Math.round(share * count), count - 1);
  return group > 1 ? { kvGroups: 0, heads: part(group) } : { kvGroups: part(numKeyValueHeads), heads: 0 };
}

/** @throws {CompError} "option" when nothing would be left of the attention */
function attentionWithout(
  { numAttentionHeads, numKeyValueHeads }: Attention,
  index: number,
  { heads, kvGroups }: HeadCount,
): Partial<LayerSizes> {
  const group = numAttentionHeads / numKeyValueHeads;
  const groups = numKeyValueHeads - kvGroups;
  if (groups < 1) {
    const message = `--kv-groups ${kvGroups} leaves none of the ${numKeyValueHeads} key-value groups of layer ${index}`;
    throw new CompError("option", message, { hint: "keep at least one" });
  }
  if (heads >= group) {
    const message = `--heads ${heads} leaves none of the ${group} query heads of each group of layer ${index}`;
    throw new CompError("option", message, { hint: "keep at least one, or remove whole groups with --kv-groups" });
  }
  return { numAttentionHeads: groups * (group - heads), numKeyValueHeads: groups };
}
