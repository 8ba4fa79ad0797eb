// The header of a GGUF file → the config.json that transformers would have for the same model.
// Key names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import type { Checkpoint, MetadataValue } from "../../checkpoint/checkpoint.ts";
import { CompError, describeValue } from "../../errors.ts";
import { DOWN_BIAS_FIELD } from "../config/biases.ts";
import { ConfigFields, type ModelConfig } from "../config/config-fields.ts";
import type { FieldNames } from "../config/field-names.ts";
import { sizeFields } from "../config/layer-sizes.ts";
import { LIMITS } from "../config/limits.ts";
import type { HeaderSizes } from "../families/gguf-traits.ts";
import type { Module } from "../spec/roles.ts";
import { type GgufFamily, type GgufLayout, IDLE, layoutOf } from "./layout.ts";
import { mixtureConfig } from "./mixture.ts";
import { ggufStorage } from "./names.ts";
import { ggufRopeScaling, shortest } from "./rope.ts";

/** How error messages name the source of these values. */
export const GGUF_SOURCE = "its GGUF header";

/** Header keys of scale factors that most families do not use; 0 and 1 mean that nothing is scaled. */
const SCALES = ["logit_scale", "residual_scale", "embedding_scale", "attention.scale"];

/**
 * The configuration of the model in a GGUF file, with the field names of config.json.
 * @throws {CompError} "architecture" for an unsupported architecture, "checkpoint" for a header without its sizes.
 */
export async function readGgufConfig(checkpoint: Checkpoint): Promise<ModelConfig> {
  const layout = layoutOf(checkpoint);
  const { family, architecture } = layout;
  const { names, gguf } = family;
  const header = headerFields(checkpoint, architecture);
  if (!gguf.scales) checkScales(header);
  const sizes = parseSizes(header);
  const rotary = family.positions === "rotary" ? await rotaryFields(checkpoint, family, header, sizes) : {};
  return defined({
    architectures: [family.architecture],
    model_type: family.modelType,
    [names.hiddenSize]: sizes.hiddenSize,
    ...(layout.perLayer ? perLayerSizes(checkpoint, names, header, sizes) : sharedSizes(family, header, sizes)),
    [names.layers]: sizes.numHiddenLayers,
    ...headSize(names, sizes),
    vocab_size: (checkpoint.tensors.get("token_embd.weight") ?? checkpoint.tensors.get("output.weight"))?.shape[0],
    [names.positions]: header.get("context_length"),
    [names.activation]: family.defaults[names.activation],
    [names.normEpsilon]: normEpsilon(header),
    ...rotary,
    tie_word_embeddings: !checkpoint.tensors.has("output.weight"),
    ...biases(checkpoint, layout),
    ...(gguf.queryKeyNormField && { [gguf.queryKeyNormField]: checkpoint.tensors.has("blk.0.attn_q_norm.weight") }),
    ...unsupported(header, sizes, family),
    ...(family.mixture && mixtureConfig(header, family.mixture)),
    ...gguf.config(header, sizes, rotary),
    ...specialTokens(checkpoint),
    torch_dtype: dtypeName(checkpoint),
  });
}

/** The keys of the architecture without their prefix; 64-bit integers as numbers, f32 as the decimals that they stand for. */
function headerFields(checkpoint: Checkpoint, architecture: string): ConfigFields {
  const prefix = `${architecture}.`;
  const entries = [...checkpoint.metadata]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]): [string, MetadataValue] => [key.slice(prefix.length), plainNumber(value)]);
  return new ConfigFields(Object.fromEntries(entries), GGUF_SOURCE);
}

function plainNumber(value: MetadataValue): MetadataValue {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "number" && !Number.isInteger(value) ? shortest(value) : value;
}

function parseSizes(header: ConfigFields): HeaderSizes {
  const hiddenSize = header.size("embedding_length", LIMITS.hiddenSize);
  const heads = header.get("attention.head_count");
  // llama.cpp takes the head size from the first layer as well.
  const numAttentionHeads = Array.isArray(heads) ? heads[0] : heads;
  if (typeof numAttentionHeads !== "number")
    throw new CompError("checkpoint", `${GGUF_SOURCE} does not give attention.head_count`);
  const sizeOr = (key: string, fallback: number): number =>
    header.get(key) === undefined ? fallback : header.size(key, LIMITS.headDim);
  const headDim = sizeOr("attention.key_length", hiddenSize / numAttentionHeads);
  const rotarySize = sizeOr("rope.dimension_count", headDim);
  const numHiddenLayers = header.size("block_count", LIMITS.layers);
  return { hiddenSize, numHiddenLayers, numAttentionHeads, headDim, rotarySize };
}

function sharedSizes(
  { names, mixers }: GgufFamily,
  header: ConfigFields,
  { numAttentionHeads }: HeaderSizes,
): ModelConfig {
  // layers with another mixer have no heads
  const heads = (key: string): unknown => uniform(header, key, mixers !== undefined);
  return {
    [names.intermediateSize]: uniform(header, "feed_forward_length"),
    [names.heads]: heads("attention.head_count"),
    ...(names.keyValueHeads === null
      ? {}
      : { [names.keyValueHeads]: heads("attention.head_count_kv") ?? numAttentionHeads }),
  };
}

/** The size of a head, where config.json can give it. @throws {CompError} "architecture" where it must follow and does not */
function headSize({ headDim: name }: FieldNames, { hiddenSize, numAttentionHeads, headDim }: HeaderSizes): ModelConfig {
  if (name !== null) return { [name]: headDim };
  if (headDim * numAttentionHeads === hiddenSize) return {};
  throw new CompError("architecture", `${numAttentionHeads} heads of ${headDim} elements are not supported here`);
}

/** The norms of a file have one kind of epsilon. */
const normEpsilon = (header: ConfigFields): number => {
  const plain = "attention.layer_norm_epsilon";
  return header.positive(header.get(plain) === undefined ? "attention.layer_norm_rms_epsilon" : plain);
};

async function rotaryFields(
  checkpoint: Checkpoint,
  family: GgufFamily,
  header: ConfigFields,
  { headDim, rotarySize }: HeaderSizes,
): Promise<ModelConfig> {
  return {
    rope_theta: header.get("rope.freq_base") ?? family.defaults.rope_theta,
    rope_scaling: await ggufRopeScaling(checkpoint, header, rotarySize),
    // said where a family has another default
    partial_rotary_factor:
      rotarySize === headDim && family.defaults.partial_rotary_factor === undefined ? undefined : rotarySize / headDim,
  };
}

function perLayerSizes(
  { metadata }: Checkpoint,
  names: FieldNames,
  header: ConfigFields,
  { numHiddenLayers }: HeaderSizes,
): ModelConfig {
  const widths = listed(header, "feed_forward_length", numHiddenLayers);
  const heads = listed(header, "attention.head_count", numHiddenLayers);
  const keyValueKey = "attention.head_count_kv";
  const shared = header.get(keyValueKey) === undefined ? heads : listed(header, keyValueKey, numHiddenLayers);
  const isIdle = (key: string, index: number): boolean => {
    const list = metadata.get(key);
    return Array.isArray(list) && list.includes(index);
  };
  return sizeFields(
    names,
    widths.map((width, index) => ({
      intermediateSize: isIdle(IDLE.mlp, index) ? 0 : width,
      numAttentionHeads: isIdle(IDLE.attention, index) ? 0 : heads[index]!,
      numKeyValueHeads: isIdle(IDLE.attention, index) ? 0 : shared[index]!,
    })),
  );
}

/** A value for each layer, which the header may give once for all. @throws {CompError} "checkpoint" */
function listed(header: ConfigFields, key: string, count: number): number[] {
  const value = header.get(key);
  const values = Array.isArray(value) ? value : new Array(count).fill(value);
  if (values.length === count && values.every((size) => Number.isInteger(size))) return values;
  throw new CompError("checkpoint", `${GGUF_SOURCE} does not give ${key} for each of ${count} layers`);
}

/**
 * A value that the header may give once or for each layer; `others`, that layers without it have 0.
 * @throws {CompError} "architecture" when layers differ.
 */
function uniform(header: ConfigFields, key: string, others = false): unknown {
  const value = header.get(key);
  if (!Array.isArray(value)) return value;
  const values = others ? value.filter((element) => element !== 0) : value;
  if (values.every((element) => element === values[0])) return values[0];
  throw new CompError("architecture", `layers that differ in ${key} are not supported`);
}

function checkScales(header: ConfigFields): void {
  for (const key of SCALES)
    if (![0, 1].includes((header.get(key) ?? 0) as number))
      throw new CompError(
        "architecture",
        `this model is not supported: ${GGUF_SOURCE} has ${key} ${describeValue(header.get(key))}`,
      );
}

/** Features under the names that `parseConfig` refuses, unless the family has them, where the header has them. */
function unsupported(header: ConfigFields, { headDim }: HeaderSizes, { mixture }: GgufFamily): ModelConfig {
  const values = header.get("attention.value_length") ?? headDim;
  if (values !== headDim)
    throw new CompError(
      "architecture",
      `values of ${describeValue(values)} elements beside keys of ${headDim} are not supported`,
    );
  return {
    num_local_experts: mixture === undefined ? header.get("expert_count") || undefined : undefined,
    attn_logit_softcapping: header.get("attn_logit_softcapping"),
    final_logit_softcapping: header.get("final_logit_softcapping"),
  };
}

/** The fields that say whether there are biases; whether there are is seen from the tensors. */
function biases({ tensors }: Checkpoint, layout: GgufLayout): ModelConfig {
  const { modules } = ggufStorage(layout);
  const has = (module: Module): boolean =>
    [...tensors.keys()].some((name) => name.endsWith(`.${modules[module]}.bias`));
  const field = (rule: boolean | string, module: Module): ModelConfig =>
    typeof rule === "string" ? { [rule]: has(module) } : {};
  const { qkv, o, mlp } = layout.family.bias;
  return {
    ...field(o, "oProj"),
    ...field(mlp, "upProj"),
    ...field(qkv, "qProj"),
    ...(has("downProj") && !has("upProj") ? { [DOWN_BIAS_FIELD]: true } : {}),
  };
}

function specialTokens(checkpoint: Checkpoint): ModelConfig {
  const id = (name: string): MetadataValue | undefined => checkpoint.metadata.get(`tokenizer.ggml.${name}_token_id`);
  return { bos_token_id: id("bos"), eos_token_id: id("eos"), pad_token_id: id("padding") };
}

/** The type of the weights; quantized models count as f16. */
function dtypeName(checkpoint: Checkpoint): string {
  const dtype = [...checkpoint.tensors.values()].find(({ name }) => /\.ffn_up(_exps)?\.weight$/.test(name))?.dtype;
  return dtype === "F32" ? "float32" : dtype === "BF16" ? "bfloat16" : "float16";
}

const defined = (fields: ModelConfig): ModelConfig =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
