// Heads that every layer gives up alike, before any neuron goes.
import { CompError } from "../errors.ts";
import { cutsAttention } from "../method/presets.ts";
import type { DecoderSpec, LayerSpec } from "../model/spec/decoder-spec.ts";
import type { PruneOptions } from "../options/prune.ts";
import { isSpared } from "./uniform.ts";

type HeadOptions = Pick<PruneOptions, "preset" | "prune" | "allocation" | "spare" | "sparsity" | "heads" | "kvGroups">;

/** Heads that a layer gives up. */
interface HeadCount {
  /** Whole key-value groups. */
  readonly kvGroups: number;
  /** Query heads of each group that is left. */
  readonly heads: number;
}

/** Whether any heads may go by number. */
export const cutsHeads = (options: HeadOptions): boolean => {
  const { kvGroups, heads } = numbersOf(options);
  return kvGroups > 0 || heads > 0 || sharesHeads(options);
};

/** Whether heads go in the same proportion as everything else: nobody says how many, and no allocation decides. */
const sharesHeads = (options: HeadOptions): boolean =>
  options.heads === "auto" && options.kvGroups === "auto" && options.allocation !== "loss" && cutsAttention(options);

const numbersOf = ({ heads, kvGroups }: HeadOptions): HeadCount => ({
  kvGroups: kvGroups === "auto" ? 0 : kvGroups,
  heads: heads === "auto" ? 0 : heads,
});

/** The model without the heads that go by number; spared layers keep theirs. */
export function withoutHeads(spec: DecoderSpec, options: HeadOptions): DecoderSpec {
  if (!cutsHeads(options)) return spec;
  if (options.prune === "mlp")
    throw new CompError(
      "option",
      `--prune mlp does not go with --${numbersOf(options).heads > 0 ? "heads" : "kv-groups"}`,
      { hint: "leave one of them out" },
    );
  const count = sharesHeads(options)
    ? (layer: LayerSpec) => shareOf(layer, options.sparsity)
    : () => numbersOf(options);
  const layers = spec.layers.map((layer, index) =>
    layer.numAttentionHeads === 0 || isSpared(index, spec.layers.length, options.spare)
      ? layer
      : layerWithout(layer, index, count(layer)),
  );
  return { ...spec, layers };
}

/** As near to a share of the heads as every group can give, but one stays: query heads, or groups where each has but one. */
function shareOf({ numAttentionHeads, numKeyValueHeads }: LayerSpec, share: number): HeadCount {
  const group = numAttentionHeads / numKeyValueHeads;
  const part = (count: number): number => Math.min(Math.round(share * count), count - 1);
  return group > 1 ? { kvGroups: 0, heads: part(group) } : { kvGroups: part(numKeyValueHeads), heads: 0 };
}

/** @throws {CompError} "option" when nothing would be left of the attention */
function layerWithout(layer: LayerSpec, index: number, { heads, kvGroups }: HeadCount): LayerSpec {
  const { numAttentionHeads, numKeyValueHeads } = layer;
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
