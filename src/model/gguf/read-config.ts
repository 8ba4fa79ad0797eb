// The header of a GGUF file → the config.json that transformers would have for the same model.
// Key names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import type { Checkpoint, MetadataValue } from "../../checkpoint/checkpoint.ts";
import { describeValue } from "../../checkpoint/json.ts";
import { CompError } from "../../errors.ts";
import { type BiasRule, DOWN_BIAS_FIELD } from "../config/biases.ts";
import { ConfigFields, LIMITS, type ModelConfig } from "../config/config-fields.ts";
import type { FieldNames } from "../config/field-names.ts";
import { sizeFields } from "../config/layer-sizes.ts";
import type { HeaderSizes } from "../families/gguf-traits.ts";
import { IDLE, layoutOf } from "./layout.ts";
import { ggufRopeScaling } from "./rope.ts";

/** How error messages name the source of these values. */
export const GGUF_SOURCE = "its GGUF header";

/** Header keys of scale factors that no supported family uses; 0 and 1 mean that nothing is scaled. */
const UNSUPPORTED_SCALES = ["logit_scale", "residual_scale", "embedding_scale", "attention.scale"];

/**
 * The configuration of the model in a GGUF file, with the field names of config.json.
 * @throws {CompError} "architecture" for an unsupported architecture, "checkpoint" for a header without its sizes.
 */
export async function readGgufConfig(checkpoint: Checkpoint): Promise<ModelConfig> {
  const layout = layoutOf(checkpoint);
  const { family, architecture } = layout;
  const header = headerFields(checkpoint, architecture);
  checkScales(header);
  const sizes = parseSizes(header);
  return {
    architectures: [family.architecture],
    model_type: family.modelType,
    hidden_size: sizes.hiddenSize,
    ...(layout.perLayer ? perLayerSizes(checkpoint, family.names, header, sizes) : sharedSizes(header, sizes)),
    num_hidden_layers: sizes.numHiddenLayers,
    head_dim: sizes.headDim,
    vocab_size: (checkpoint.tensors.get("token_embd.weight") ?? checkpoint.tensors.get("output.weight"))?.shape[0],
    max_position_embeddings: header.get("context_length"),
    [family.names.activation]: family.defaults[family.names.activation],
    rms_norm_eps: shortest(header.positive("attention.layer_norm_rms_epsilon")),
    rope_theta: header.get("rope.freq_base") ?? family.defaults.rope_theta,
    rope_scaling: await ggufRopeScaling(checkpoint, header, sizes.headDim),
    tie_word_embeddings: !checkpoint.tensors.has("output.weight"),
    ...biases(checkpoint, family.bias),
    ...unsupported(header, sizes),
    ...family.gguf.config(header, sizes),
    ...specialTokens(checkpoint),
    torch_dtype: dtypeName(checkpoint),
  };
}

/** The keys of the architecture without their prefix; 64-bit integers as numbers. */
function headerFields(checkpoint: Checkpoint, architecture: string): ConfigFields {
  const prefix = `${architecture}.`;
  const entries = [...checkpoint.metadata]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]): [string, MetadataValue] => [
      key.slice(prefix.length),
      typeof value === "bigint" ? Number(value) : value,
    ]);
  return new ConfigFields(Object.fromEntries(entries), GGUF_SOURCE);
}

function parseSizes(header: ConfigFields): HeaderSizes {
  const hiddenSize = header.size("embedding_length", LIMITS.hiddenSize);
  const heads = header.get("attention.head_count");
  // llama.cpp takes the head size from the first layer as well.
  const numAttentionHeads = Array.isArray(heads) ? heads[0] : heads;
  if (typeof numAttentionHeads !== "number")
    throw new CompError("checkpoint", `${GGUF_SOURCE} does not give attention.head_count`);
  const headDim =
    header.get("attention.key_length") === undefined
      ? hiddenSize / numAttentionHeads
      : header.size("attention.key_length", LIMITS.headDim);
  return { hiddenSize, numHiddenLayers: header.size("block_count", LIMITS.layers), numAttentionHeads, headDim };
}

function sharedSizes(header: ConfigFields, { numAttentionHeads }: HeaderSizes): ModelConfig {
  return {
    intermediate_size: uniform(header, "feed_forward_length"),
    num_attention_heads: uniform(header, "attention.head_count"),
    num_key_value_heads: uniform(header, "attention.head_count_kv") ?? numAttentionHeads,
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

/** A value that the header may give once or for each layer. @throws {CompError} "architecture" when layers differ. */
function uniform(header: ConfigFields, key: string): unknown {
  const value = header.get(key);
  if (!Array.isArray(value)) return value;
  if (value.every((element) => element === value[0])) return value[0];
  throw new CompError("architecture", `layers that differ in ${key} are not supported`);
}

function checkScales(header: ConfigFields): void {
  for (const key of UNSUPPORTED_SCALES)
    if (![0, 1].includes((header.get(key) ?? 0) as number))
      throw new CompError(
        "architecture",
        `this model is not supported: ${GGUF_SOURCE} has ${key} ${describeValue(header.get(key))}`,
      );
}

/** Features under the names that `parseConfig` refuses, where the header has them. */
function unsupported(header: ConfigFields, { headDim }: HeaderSizes): ModelConfig {
  const rotated = header.get("rope.dimension_count") ?? headDim;
  const values = header.get("attention.value_length") ?? headDim;
  if (values !== headDim)
    throw new CompError(
      "architecture",
      `values of ${describeValue(values)} elements beside keys of ${headDim} are not supported`,
    );
  return defined({
    partial_rotary_factor: rotated === headDim ? undefined : (rotated as number) / headDim,
    num_local_experts: header.get("expert_count") || undefined,
    attn_logit_softcapping: header.get("attn_logit_softcapping"),
    final_logit_softcapping: header.get("final_logit_softcapping"),
  });
}

/** The fields that say whether there are biases; whether there are is seen from the tensors. */
function biases({ tensors }: Checkpoint, { qkv, mlp }: BiasRule): ModelConfig {
  const has = (name: string): boolean => [...tensors.keys()].some((tensor) => tensor.endsWith(`.${name}`));
  const field = (rule: boolean | string, name: string): ModelConfig =>
    typeof rule === "string" ? { [rule]: has(name) } : {};
  return {
    ...field(qkv, "attn_q.bias"),
    ...field(mlp, "ffn_gate.bias"),
    ...(has("ffn_down.bias") && !has("ffn_gate.bias") ? { [DOWN_BIAS_FIELD]: true } : {}),
  };
}

function specialTokens(checkpoint: Checkpoint): ModelConfig {
  const id = (name: string): MetadataValue | undefined => checkpoint.metadata.get(`tokenizer.ggml.${name}_token_id`);
  return defined({ bos_token_id: id("bos"), eos_token_id: id("eos"), pad_token_id: id("padding") });
}

/** The type of the weights; quantized models count as f16. */
function dtypeName(checkpoint: Checkpoint): string {
  const dtype = [...checkpoint.tensors.values()].find(({ name }) => name.endsWith(".ffn_up.weight"))?.dtype;
  return dtype === "F32" ? "float32" : dtype === "BF16" ? "bfloat16" : "float16";
}

/** The shortest decimal that rounds to an f32: 1e-5 rather than 0.00000999999974…. */
const shortest = (value: number): number => {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
};

const defined = (fields: ModelConfig): ModelConfig =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
