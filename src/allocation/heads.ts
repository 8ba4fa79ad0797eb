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
  if (heads.kind === "none" || heads.kind === "search") return spec;
  const layers = layerPositions(spec).map((position) => {
    const layer = spec.layers[position]!;
    const attention = attentionOf(layer);
    if (attention === undefined || isProtected(position, spec.layers.length, protectedLayers)) return layer;
    const cut = heads.kind === "count" ? heads : shareOf(attention, sparsity);
    return resized(layer, attentionWithout(attention, position, cut));
  });
  return { ...spec, layers };
}

/** As near to a share of the heads as every group can give, but one stays. */
function shareOf(attention: Attention, share: number): HeadCount {
  const all = headsOrGroups(attention);
  return countOf(attention, Math.min(Math.round(share * all), all - 1));
}

/** So many query heads of each group, or groups where each has but one head; undefined where a layer cannot give so many. */
export function headsOfEach({ layers }: DecoderSpec, count: number): HeadCount | undefined {
  const attentions = layers.flatMap((layer) => attentionOf(layer) ?? []);
  const leavesOne = count >= 0 && attentions.every((attention) => count < headsOrGroups(attention));
  return leavesOne ? countOf(attentions[0]!, count) : undefined;
}

/** Query heads of a group, or groups where each has but one head. */
const headsOrGroups = (attention: Attention): number =>
  isGrouped(attention) ? attention.numAttentionHeads / attention.numKeyValueHeads : attention.numKeyValueHeads;

const countOf = (attention: Attention, count: number): HeadCount =>
  isGrouped(attention) ? { kvGroups: 0, heads: count } : { kvGroups: count, heads: 0 };

const isGrouped = ({ numAttentionHeads, numKeyValueHeads }: Attention): boolean => numAttentionHeads > numKeyValueHeads;

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
