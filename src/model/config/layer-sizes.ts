// The sizes that may differ from layer to layer, as config.json states them: one number in the stock field where all layers
// agree; where they differ, a list in a field of ours, 0 where there is nothing, and the largest in the stock field.
import { CompError } from "../../errors.ts";
import { attentionOf, type LayerSizes, type LayerSpec, sizesOf } from "../spec/parts.ts";
import type { ConfigFields, ModelConfig } from "./config-fields.ts";
import type { FieldNames } from "./field-names.ts";
import { LIMITS } from "./limits.ts";
import { areMixturesAlike } from "./mixture.ts";

interface SizeField {
  readonly size: keyof LayerSizes;
  readonly stock: "intermediateSize" | "heads" | "keyValueHeads";
  readonly list: string;
  readonly limit: number;
}

const MLP: SizeField = {
  size: "intermediateSize",
  stock: "intermediateSize",
  list: "intermediate_sizes",
  limit: LIMITS.intermediateSize,
};
const HEADS: SizeField = {
  size: "numAttentionHeads",
  stock: "heads",
  list: "attention_heads",
  limit: LIMITS.heads,
};
const KEY_VALUE_HEADS: SizeField = {
  size: "numKeyValueHeads",
  stock: "keyValueHeads",
  list: "key_value_heads",
  limit: LIMITS.heads,
};

const FIELDS = [MLP, HEADS, KEY_VALUE_HEADS] as const;

/** Fields of config.json that list a size of each layer. */
export const SIZE_LISTS: Readonly<Record<keyof LayerSizes, string>> = {
  intermediateSize: MLP.list,
  numAttentionHeads: HEADS.list,
  numKeyValueHeads: KEY_VALUE_HEADS.list,
};

/** Neurons of the widest MLP. */
export const widestMlp = (layers: readonly LayerSpec[]): number =>
  Math.max(...layers.map(({ channel }) => channel?.intermediateSize ?? 0));

/** All sizes of each layer in lists. */
export const sizeLists = (layers: readonly LayerSpec[]): ModelConfig =>
  Object.fromEntries(FIELDS.map(({ size, list }) => [list, layers.map((layer) => sizesOf(layer)[size])]));

/** Whether no sublayer is absent, and all attentions, all MLPs and all mixtures of experts have the same sizes. */
export function areAlike(layers: readonly LayerSpec[]): boolean {
  const attentions = layers.flatMap((layer) => attentionOf(layer) ?? []);
  const mlps = layers.flatMap(({ channel }) => (channel?.kind === "mlp" ? [channel] : []));
  return (
    layers.every(({ mixer, channel }) => mixer !== null && channel !== null) &&
    mlps.every(({ intermediateSize }) => intermediateSize === mlps[0]!.intermediateSize) &&
    areMixturesAlike(layers) &&
    attentions.every(({ numAttentionHeads }) => numAttentionHeads === attentions[0]!.numAttentionHeads) &&
    attentions.every(({ numKeyValueHeads }) => numKeyValueHeads === attentions[0]!.numKeyValueHeads)
  );
}

/** The fields of config.json for `sizes`. */
export function sizeFields(names: FieldNames, layers: readonly LayerSizes[]): ModelConfig {
  const fields = FIELDS.map(({ size, stock, list }) => {
    const name = names[stock];
    const sizes = layers.map((layer) => layer[size]);
    const largest = Math.max(...sizes);
    const shared = name === null ? {} : { [name]: largest };
    return sizes.every((one) => one === largest) ? shared : { ...shared, [list]: sizes };
  });
  return Object.assign({}, ...fields);
}

/**
 * The sizes of each layer.
 *
 * @param stock the width of each channel mixer where no list says otherwise
 * @throws {CompError} "checkpoint" for sizes that are missing or impossible.
 */
export function parseLayerSizes(fields: ConfigFields, names: FieldNames, stock: readonly number[]): LayerSizes[] {
  const count = stock.length;
  const widths = fields.get(MLP.list) === undefined ? [...stock] : sizesOfAll(fields, MLP, count, () => 0);
  const heads = sizesOfAll(fields, HEADS, count, () => fields.size(names.heads, LIMITS.heads));
  const shared = names.keyValueHeads;
  const keyValueHeads =
    shared === null || fields.get(shared) === undefined
      ? heads
      : sizesOfAll(fields, KEY_VALUE_HEADS, count, () => fields.size(shared, LIMITS.heads));
  return widths.map((intermediateSize, index) => {
    const sizes = { intermediateSize, numAttentionHeads: heads[index]!, numKeyValueHeads: keyValueHeads[index]! };
    checkHeads(fields, sizes);
    return sizes;
  });
}

function sizesOfAll(fields: ConfigFields, { list, limit }: SizeField, count: number, stock: () => number): number[] {
  const listed = fields.get(list);
  if (listed === undefined) return new Array<number>(count).fill(stock());
  const isSize = (size: unknown): boolean =>
    Number.isInteger(size) && (size as number) >= 0 && (size as number) <= limit;
  if (Array.isArray(listed) && listed.length === count && listed.every(isSize)) return listed;
  throw new CompError("checkpoint", `${fields.source} has ${list} that are not ${count} sizes, one for each layer`);
}

function checkHeads({ source }: ConfigFields, { numAttentionHeads, numKeyValueHeads }: LayerSizes): void {
  const fits = numKeyValueHeads === 0 ? numAttentionHeads === 0 : numAttentionHeads % numKeyValueHeads === 0;
  if (fits && (numAttentionHeads > 0 || numKeyValueHeads === 0)) return;
  throw new CompError(
    "checkpoint",
    `${source} says ${numAttentionHeads} attention heads share ${numKeyValueHeads} key-value heads, which do not divide them`,
  );
}
