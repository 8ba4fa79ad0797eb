// The sizes that may differ from layer to layer, as config.json states them: one number in the stock field where all layers
// agree; where they differ, a list in a field of ours, 0 for an absent sublayer, and the largest in the stock field.
import { CompError } from "../../errors.ts";
import type { LayerSpec } from "../spec/decoder-spec.ts";
import { type ConfigFields, LIMITS, type ModelConfig } from "./config-fields.ts";

export type LayerSizes = Pick<LayerSpec, "intermediateSize" | "numAttentionHeads" | "numKeyValueHeads">;

interface SizeField {
  readonly size: keyof LayerSizes;
  readonly stock: string;
  readonly list: string;
  readonly limit: number;
}

const MLP: SizeField = {
  size: "intermediateSize",
  stock: "intermediate_size",
  list: "intermediate_sizes",
  limit: LIMITS.intermediateSize,
};
const HEADS: SizeField = {
  size: "numAttentionHeads",
  stock: "num_attention_heads",
  list: "attention_heads",
  limit: LIMITS.heads,
};
const KEY_VALUE_HEADS: SizeField = {
  size: "numKeyValueHeads",
  stock: "num_key_value_heads",
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
export const widestMlp = (layers: readonly LayerSizes[]): number =>
  Math.max(...layers.map(({ intermediateSize }) => intermediateSize));

/** All sizes of each layer in lists. */
export const sizeLists = (layers: readonly LayerSizes[]): ModelConfig =>
  Object.fromEntries(FIELDS.map(({ size, list }) => [list, layers.map((layer) => layer[size])]));

/** Whether all layers have the same sizes and no sublayer is absent. */
export const areAlike = (layers: readonly LayerSizes[]): boolean =>
  FIELDS.every(({ size }) => layers.every((layer) => layer[size] === layers[0]![size])) &&
  layers.every((layer) => layer.intermediateSize > 0 && layer.numAttentionHeads > 0);

/** The fields of config.json for the sizes of `layers`. */
export function sizeFields(layers: readonly LayerSizes[]): ModelConfig {
  const fields = FIELDS.map(({ size, stock, list }) => {
    const sizes = layers.map((layer) => layer[size]);
    const largest = Math.max(...sizes);
    return sizes.every((one) => one === largest) ? { [stock]: largest } : { [stock]: largest, [list]: sizes };
  });
  return Object.assign({}, ...fields);
}

/**
 * The sizes of each of `count` layers.
 * @throws {CompError} "checkpoint" for sizes that are missing or impossible.
 */
export function parseLayerSizes(fields: ConfigFields, count: number): LayerSizes[] {
  const widths = sizesOf(fields, MLP, count);
  const heads = sizesOf(fields, HEADS, count);
  const shared = fields.get(KEY_VALUE_HEADS.stock) === undefined ? heads : sizesOf(fields, KEY_VALUE_HEADS, count);
  return widths.map((intermediateSize, index) => {
    const sizes = { intermediateSize, numAttentionHeads: heads[index]!, numKeyValueHeads: shared[index]! };
    checkHeads(fields, sizes);
    return sizes;
  });
}

function sizesOf(fields: ConfigFields, { stock, list, limit }: SizeField, count: number): number[] {
  const listed = fields.get(list);
  if (listed === undefined) return new Array<number>(count).fill(fields.size(stock, limit));
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
