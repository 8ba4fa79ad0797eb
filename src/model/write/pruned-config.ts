// config.json of the pruned model: what pruning changes, and everything else as it was.
import type { FloatDtype } from "../../checkpoint/dtype.ts";
import { biasFields, isStockBias } from "../config/biases.ts";
import { isObject, type ModelConfig } from "../config/config-fields.ts";
import { areAlike, SIZE_LISTS } from "../config/layer-sizes.ts";
import { mixtureFields } from "../config/mixture.ts";
import { withDefaults } from "../config/parse-config.ts";
import type { Family } from "../families/family.ts";
import { familyOf } from "../families/index.ts";
import type { Biases, DecoderSpec } from "../spec/decoder-spec.ts";
import type { LayerIndex } from "../spec/layer-index.ts";
import { attentionOf, type LayerSpec } from "../spec/parts.ts";
import { ownAutoMap, perLayerFields } from "./modeling-file.ts";

/** The shape of the pruned model. */
export interface PrunedShape {
  /** Indices of the layers that stay, ascending. */
  readonly keptLayers: readonly LayerIndex[];
  /** Each kept layer as it is now. Where no stock class loads their sizes, the configuration names a modelling file. */
  readonly layers: readonly LayerSpec[];
  /** Which projections of the pruned model have a bias; absent means that nothing changes. */
  readonly bias?: Biases;
  /** Type of the weights as they are written; absent means that of the source. */
  readonly dtype?: FloatDtype;
}

/** As config.json has them. */
export const DTYPE_NAMES: Readonly<Record<FloatDtype, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** Fields with lists whose length may equal the number of layers by chance. */
const NO_LAYER_LIST = /^architectures$|token|words/;

/** Fields that give layer types by position, which no longer hold once layers are removed. */
const PATTERN_KEYS: readonly string[] = ["sliding_window_pattern", "_sliding_window_pattern"];

/** Fields that are floats in Python even when their value is whole: transformers warns of "factor": 8, or refuses it. */
const FLOAT_FIELD =
  /^(\w*rope_theta|rope_local_base_freq|\w*factor|rms_norm_eps|initializer_range|attention_dropout|rotary_pct|\w+_softcapping)$/;

const WHOLE_FIELD = /^(\s*"(\w+)": -?\d+)(?=,?$)/gm;

/** The configuration of the pruned model, which stock transformers 4 and 5 load. `spec` is that of `config`. */
export function prunedConfig(config: ModelConfig, spec: DecoderSpec, shape: PrunedShape): ModelConfig {
  const family = familyOf(config);
  const bias = shape.bias ?? spec.bias;
  return defined({
    ...withoutOurs(withoutPattern(config, spec)),
    architectures: [family.architecture],
    ...cutLists(withoutOurs(config), spec, shape.keptLayers),
    ...layerTypes(config, spec, shape.keptLayers),
    [family.names.layers]: shape.keptLayers.length,
    ...biasFields(family.bias, bias),
    ...sizes(family, config, { ...spec, bias }, shape.layers),
    ...(family.positions === "rotary" ? rope(family, config) : {}),
    ...family.prunedFields?.(config, shape.layers),
    ...dtype(config, shape),
  });
}

const defined = (fields: ModelConfig): ModelConfig =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** The configuration without sizes per layer and the class for them, which a pruned model may no longer need. */
function withoutOurs(config: ModelConfig): ModelConfig {
  const lists = Object.values(SIZE_LISTS);
  const autoMap = ownAutoMap(config);
  const others = Object.entries(config).filter(([key]) => key !== "auto_map" && !lists.includes(key));
  return { ...Object.fromEntries(others), ...(autoMap && { auto_map: autoMap }) };
}

/** Whether a stock class loads layers of these sizes. */
export const isStock = (spec: StockTraits, layers: readonly LayerSpec[]): boolean =>
  areAlike(layers) && isStockBias(spec.bias) && whyHeadsNotStock(spec, layers) === undefined;

type StockTraits = Pick<DecoderSpec, "family" | "hiddenSize" | "headDim" | "bias">;

/** Why a stock class does not load layers of this many heads: transformers 5 checks it against the hidden size. */
export function whyHeadsNotStock(
  { family, hiddenSize, headDim }: StockTraits,
  layers: readonly LayerSpec[],
): string | undefined {
  const { numAttentionHeads: heads, rope } = firstAttention(layers) ?? { numAttentionHeads: 1, rope: undefined };
  const { headsDivideHidden, factorsFollowHeads } = familyOf({ model_type: family });
  if (headsDivideHidden && hiddenSize % heads !== 0)
    return `${heads} heads do not divide the hidden size ${hiddenSize}`;
  if (factorsFollowHeads !== true || rope?.kind !== "longrope" || Math.floor(hiddenSize / heads) === headDim)
    return undefined;
  return `the factors of longrope do not fit a hidden size ${hiddenSize} and ${heads} heads`;
}

const firstAttention = (layers: readonly LayerSpec[]): ReturnType<typeof attentionOf> =>
  layers.flatMap((layer) => attentionOf(layer) ?? [])[0];

function sizes(family: Family, config: ModelConfig, spec: DecoderSpec, layers: readonly LayerSpec[]): ModelConfig {
  const { names } = family;
  const stock = withDefaults(family, config);
  const heads = stock.get(names.heads);
  const shared = (names.keyValueHeads === null ? undefined : stock.get(names.keyValueHeads)) ?? heads;
  const isCut = layers.some((layer) => {
    const attention = attentionOf(layer);
    const isHere = attention !== undefined || layer.mixer === null;
    return isHere && (attention?.numAttentionHeads !== heads || attention?.numKeyValueHeads !== shared);
  });
  // Once heads are cut, their size no longer follows from the hidden size.
  const head = isCut && names.headDim !== null ? { [names.headDim]: spec.headDim } : {};
  if (!isStock(spec, layers)) return { ...perLayerFields(family, layers, ownAutoMap(config)), ...head };
  const attention = firstAttention(layers);
  const fewer =
    isCut && attention
      ? {
          [names.heads]: attention.numAttentionHeads,
          ...(names.keyValueHeads === null ? {} : { [names.keyValueHeads]: attention.numKeyValueHeads }),
        }
      : {};
  const [mlp] = layers.flatMap(({ channel }) => (channel?.kind === "mlp" ? [channel] : []));
  return {
    ...(mlp && { [names.intermediateSize]: mlp.intermediateSize }),
    ...(family.mixture && mixtureFields(family.mixture, config, layers)),
    ...fewer,
    ...head,
  };
}

/**
 * The biases of a model whose down_proj gets one. Where a stock field says so, all that it speaks of get biases too, which
 * stay zero.
 *
 * @param withFile whether the folder has a modelling file anyway, in which any family can have the bias
 * @returns undefined where the family cannot have one
 */
export function withDownBias({ family, bias }: DecoderSpec, withFile: boolean): Biases | undefined {
  if (bias.down) return bias;
  const { qkv, o, mlp } = familyOf({ model_type: family }).bias;
  if (typeof mlp === "string") return { qkv: bias.qkv || qkv === mlp, o: bias.o || o === mlp, mlp: true, down: true };
  return withFile ? { ...bias, down: true } : undefined;
}

/**
 * config.json as text, floats written as Python writes them.
 *
 * @param source the text of the source's, in which a float can be told from an integer
 */
export function renderConfig(config: ModelConfig, source = ""): string {
  const floats = new Set([...source.matchAll(/"(\w+)":\s*-?\d+\.0+(?!\d)/g)].map(([, key]) => key));
  const text = JSON.stringify(config, undefined, 2).replaceAll(WHOLE_FIELD, (line: string, _: string, key: string) =>
    floats.has(key) || FLOAT_FIELD.test(key) ? `${line}.0` : line,
  );
  return `${text}\n`;
}

const hasMixedLayers = ({ layers }: DecoderSpec): boolean => layers.some(({ type }) => type !== layers[0]?.type);

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

/** The types of layers, listed layer by layer where the source has a rule by position. */
function layerTypes(config: ModelConfig, spec: DecoderSpec, keptLayers: readonly LayerIndex[]): ModelConfig {
  const first = config.max_window_layers;
  return {
    ...(hasMixedLayers(spec) ? { layer_types: keptLayers.map((index) => spec.layers[index]!.type) } : {}),
    ...(typeof first === "number" ? { max_window_layers: keptLayers.filter((index) => index < first).length } : {}),
  };
}

/** transformers 4 ignores `rope_parameters` and would silently take its defaults: the same in the fields that it reads. */
function rope(family: Family, config: ModelConfig): ModelConfig {
  if ((config.rope_parameters ?? undefined) === undefined) return {};
  const fields = withDefaults(family, config);
  return { ...statedScaling(config), ...family.rope.fields(family.rope.parse(fields), family.rope.share(fields)) };
}

/** The source's own words, for kinds of scaling that are not said anew. */
function statedScaling({ rope_parameters: parameters }: ModelConfig): ModelConfig {
  if (!isObject(parameters) || Object.values(parameters).some(isObject)) return {};
  const { rope_theta: _theta, partial_rotary_factor: _share, ...scaling } = parameters;
  return { rope_scaling: scaling };
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
