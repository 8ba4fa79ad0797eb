// Heads that every layer gives up alike, before any neuron goes.
import { CompError } from "../errors.ts";
import type { DecoderSpec, LayerSpec } from "../model/decoder-spec.ts";
import type { PruneOptions } from "../options/prune.ts";

type HeadOptions = Pick<PruneOptions, "prune" | "heads" | "kvGroups">;

/** Whether any heads go. */
export const cutsHeads = ({ heads, kvGroups }: HeadOptions): boolean => heads > 0 || kvGroups > 0;

/** The model without `kvGroups` whole key-value groups of each layer and `heads` query heads of each group that is left. */
export function withoutHeads(spec: DecoderSpec, options: HeadOptions): DecoderSpec {
  if (!cutsHeads(options)) return spec;
  if (options.prune === "mlp")
    throw new CompError("option", `--prune mlp does not go with --${options.heads > 0 ? "heads" : "kv-groups"}`, {
      hint: "leave one of them out",
    });
  return { ...spec, layers: spec.layers.map((layer, index) => layerWithout(layer, index, options)) };
}

/** @throws {CompError} "option" when nothing would be left of an attention; a layer without one stays as it is */
function layerWithout(layer: LayerSpec, index: number, { heads, kvGroups }: HeadOptions): LayerSpec {
  const { numAttentionHeads, numKeyValueHeads } = layer;
  if (numAttentionHeads === 0) return layer;
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
  return { ...layer, numAttentionHeads: groups * (group - heads), numKeyValueHeads: groups };
}
