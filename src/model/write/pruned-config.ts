// config.json of the pruned model: what pruning changes, and everything else as it was.
import type { FloatDtype } from "../../checkpoint/dtype.ts";
import { biasFields, isStockBias } from "../config/biases.ts";
import type { ModelConfig } from "../config/config-fields.ts";
import { areAlike, type LayerSizes, SIZE_LISTS } from "../config/layer-sizes.ts";
import { withDefaults } from "../config/parse-config.ts";
import { familyOf } from "../families/index.ts";
import type { Biases, DecoderSpec, LayerSpec } from "../spec/decoder-spec.ts";
import type { LayerIndex } from "../spec/layer-index.ts";
import { ownAutoMap, perLayerFields } from "./modeling-file.ts";

/** The shape of the pruned model. */
export interface PrunedShape {
  /** Indices of the layers that stay, ascending. */
  readonly keptLayers: readonly LayerIndex[];
  /** Sizes of each kept layer. Where no stock class loads them, the configuration names a modelling file. */
  readonly layers: readonly LayerSizes[];
  /** Which projections of the pruned model have a bias; absent means that nothing changes. */
  readonly bias?: Biases;
  /** Type of the weights as they are written; absent means that of the source. */
  readonly dtype?: FloatDtype;
}

const DTYPE_NAMES: Readonly<Record<FloatDtype, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** Fields with lists whose length may equal the number of layers by chance. */
const NO_LAYER_LIST = /^architectures$|token|words/;

/** Fields that give layer types by position, which no longer hold once layers are removed. */
const PATTERN_KEYS: readonly string[] = ["sliding_window_pattern", "_sliding_window_pattern"];

/** Fields that are floats in Python even when their value is whole: transformers warns of "factor": 8, not of 8.0. */
const FLOAT_FIELDS =
  /^(\s*"(?:\w*rope_theta|rope_local_base_freq|\w*factor|rms_norm_eps|initializer_range|attention_dropout)": -?\d+)(?=,?$)/gm;

/** The configuration of the pruned model, which stock transformers 4 and 5 load. `spec` is that of `config`. */
export function prunedConfig(config: ModelConfig, spec: DecoderSpec, shape: PrunedShape): ModelConfig {
  const family = familyOf(config);
  const bias = shape.bias ?? spec.bias;
  return {
    ...withoutOurs(withoutPattern(config, spec)),
    architectures: [family.architecture],
    ...cutLists(withoutOurs(config), spec, shape.keptLayers),
    ...layerTypes(config, spec, shape.keptLayers),
    num_hidden_layers: shape.keptLayers.length,
    ...biasFields(family.bias, bias),
    ...sizes(config, { ...spec, bias }, shape.layers),
    ...rope(config),
    ...dtype(config, shape),
  };
}

/** The configuration without sizes per layer and the class for them, which a pruned model may no longer need. */
function withoutOurs(config: ModelConfig): ModelConfig {
  const lists = Object.values(SIZE_LISTS);
  const autoMap = ownAutoMap(config);
  const others = Object.entries(config).filter(([key]) => key !== "auto_map" && !lists.includes(key));
  return { ...Object.fromEntries(others), ...(autoMap && { auto_map: autoMap }) };
}

/** Whether a stock class loads layers of these sizes: transformers 5 wants the heads of some families to divide the hidden size. */
export function isStock(
  { family, hiddenSize, bias }: Pick<DecoderSpec, "family" | "hiddenSize" | "bias">,
  layers: readonly LayerSizes[],
): boolean {
  if (!areAlike(layers) || !isStockBias(bias)) return false;
  return !familyOf({ model_type: family }).headsDivideHidden || hiddenSize % layers[0]!.numAttentionHeads === 0;
}

function sizes(config: ModelConfig, spec: DecoderSpec, layers: readonly LayerSizes[]): ModelConfig {
  const { intermediateSize, numAttentionHeads, numKeyValueHeads } = layers[0]!;
  const stock = withDefaults(familyOf(config), config);
  const heads = stock.get("num_attention_heads");
  const shared = stock.get("num_key_value_heads") ?? heads;
  const isCut = layers.some((layer) => layer.numAttentionHeads !== heads || layer.numKeyValueHeads !== shared);
  // Once heads are cut, their size no longer follows from the hidden size.
  const head = isCut ? { head_dim: spec.headDim } : {};
  if (!isStock(spec, layers)) return { ...perLayerFields(layers, ownAutoMap(config)), ...head };
  const fewer = isCut ? { num_attention_heads: numAttentionHeads, num_key_value_heads: numKeyValueHeads } : {};
  return { intermediate_size: intermediateSize, ...fewer, ...head };
}

/**
 * The biases of a model whose down_proj gets one. Where a stock field says so, gate and up get biases too, which stay zero.
 *
 * @param withFile whether the folder has a modelling file anyway, in which any family can have the bias
 * @returns undefined where the family cannot have one
 */
export function withDownBias({ family, bias }: DecoderSpec, withFile: boolean): Biases | undefined {
  if (bias.down) return bias;
  const hasField = typeof familyOf({ model_type: family }).bias.mlp === "string";
  if (hasField) return { ...bias, mlp: true, down: true };
  return withFile ? { ...bias, down: true } : undefined;
}

/** config.json as text, floats written as Python writes them. */
export const renderConfig = (config: ModelConfig): string =>
  `${JSON.stringify(config, undefined, 2).replaceAll(FLOAT_FIELDS, "$1.0")}\n`;

const hasMixedLayers = ({ layers }: DecoderSpec): boolean =>
  layers.some((layer) => layer.slidingWindow !== layers[0]?.slidingWindow);

function withoutPattern(config: ModelConfig, spec: DecoderSpec): ModelConfig {
  if (!hasMixedLayers(spec)) return config;
  return Object.fromEntries(Object.entries(config).filter(([key]) => !PATTERN_KEYS.includes(key)));
}

/** Every list with an entry for each layer, at the layers that stay. */
function cutLists(config: ModelConfig, spec: DecoderSpec, keptLayers: readonly LayerIndex[]): ModelConfig {
  const lists = Object.entries(config).filter(
    (entry): entry is [string, unknown[]] =>
      Array.isArray(entry[1]) && entry[1].length === spec.layers.length && !NO_LAYER_LIST.test(entry[0]),
  );
  return Object.fromEntries(lists.map(([key, list]) => [key, keptLayers.map((index) => list[index])]));
}

/** Which layers have a window, listed layer by layer where the source has a rule by position. */
function layerTypes(config: ModelConfig, spec: DecoderSpec, keptLayers: readonly LayerIndex[]): ModelConfig {
  const typeOf = (layer: LayerSpec): string =>
    layer.slidingWindow === undefined ? "full_attention" : "sliding_attention";
  const first = config.max_window_layers;
  return {
    ...(hasMixedLayers(spec) ? { layer_types: keptLayers.map((index) => typeOf(spec.layers[index]!)) } : {}),
    ...(typeof first === "number" ? { max_window_layers: keptLayers.filter((index) => index < first).length } : {}),
  };
}

/** transformers 4 ignores `rope_parameters` and would silently take its defaults: the same in the fields that it reads. */
function rope(config: ModelConfig): ModelConfig {
  if ((config.rope_parameters ?? undefined) === undefined) return {};
  const family = familyOf(config);
  return family.rope.fields(family.rope.parse(withDefaults(family, config)));
}

/** transformers 5 writes `dtype` and reads both; transformers 4 long knew only `torch_dtype`. */
function dtype(config: ModelConfig, shape: PrunedShape): ModelConfig {
  if (shape.dtype === undefined) return {};
  const name = DTYPE_NAMES[shape.dtype];
  return {
    ...("dtype" in config ? { dtype: name } : {}),
    ...("torch_dtype" in config || !("dtype" in config) ? { torch_dtype: name } : {}),
  };
}
