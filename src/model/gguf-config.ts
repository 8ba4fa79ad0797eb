// The header of a GGUF file → the config.json that transformers would have for the same model.
// Key names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import type { Checkpoint, MetadataValue } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { ConfigFields, LIMITS, type ModelConfig } from "./config-fields.ts";
import { FAMILIES, type Family, type GgufTraits, type HeaderSizes } from "./families.ts";
import { ggufRopeScaling } from "./gguf-rope.ts";

/** What messages call the source of these values. */
export const GGUF_SOURCE = "its GGUF header";

/** Header keys for arithmetic that no family here has, unless they are 0 or 1. */
const UNSUPPORTED_SCALES = ["logit_scale", "residual_scale", "embedding_scale", "attention.scale"];

/**
 * The configuration of the model in a GGUF file, in the words of config.json.
 * @throws {CompError} "architecture" for an unsupported architecture, "checkpoint" for a header without its sizes.
 */
export async function readGgufConfig(checkpoint: Checkpoint): Promise<ModelConfig> {
  const family = ggufFamily(checkpoint);
  const header = headerFields(checkpoint, family.gguf.architecture);
  checkScales(header);
  const sizes = parseSizes(header);
  return {
    architectures: [family.architecture],
    model_type: family.modelType,
    hidden_size: sizes.hiddenSize,
    intermediate_size: uniform(header, "feed_forward_length"),
    num_hidden_layers: sizes.numHiddenLayers,
    num_attention_heads: sizes.numAttentionHeads,
    num_key_value_heads: uniform(header, "attention.head_count_kv") ?? sizes.numAttentionHeads,
    head_dim: sizes.headDim,
    vocab_size: checkpoint.tensors.get("token_embd.weight")?.shape[0],
    max_position_embeddings: header.get("context_length"),
    [family.activationKey]: family.defaults[family.activationKey],
    rms_norm_eps: shortest(header.positive("attention.layer_norm_rms_epsilon")),
    rope_theta: header.get("rope.freq_base") ?? family.defaults.rope_theta,
    rope_scaling: await ggufRopeScaling(checkpoint, header, sizes.headDim),
    tie_word_embeddings: !checkpoint.tensors.has("output.weight"),
    ...biases(checkpoint, family),
    ...unsupported(header, sizes),
    ...family.gguf.config(header, sizes),
    ...specialTokens(checkpoint),
    torch_dtype: dtypeName(checkpoint),
  };
}

/** The family whose GGUF files say this `general.architecture`. @throws {CompError} "architecture" */
export function ggufFamily(checkpoint: Checkpoint): Family & { readonly gguf: GgufTraits } {
  const architecture = checkpoint.metadata.get("general.architecture");
  const known = FAMILIES.filter((row): row is Family & { gguf: GgufTraits } => row.gguf !== undefined);
  const family = known.find((row) => row.gguf.architecture === architecture);
  if (family !== undefined) return family;
  throw new CompError("architecture", `GGUF architecture ${JSON.stringify(architecture)} is not supported`, {
    hint: `supported: ${known.map((row) => row.gguf.architecture).join(", ")}`,
  });
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
  const numAttentionHeads = uniform(header, "attention.head_count");
  if (typeof numAttentionHeads !== "number")
    throw new CompError("checkpoint", `${GGUF_SOURCE} does not give attention.head_count`);
  const headDim =
    header.get("attention.key_length") === undefined
      ? hiddenSize / numAttentionHeads
      : header.size("attention.key_length", LIMITS.headDim);
  return { hiddenSize, numHiddenLayers: header.size("block_count", LIMITS.layers), numAttentionHeads, headDim };
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
      throw new CompError("architecture", `this model is not supported: ${GGUF_SOURCE} has ${key} ${header.get(key)}`);
}

/** What config.json refuses under these names, where the header has it. */
function unsupported(header: ConfigFields, { headDim }: HeaderSizes): ModelConfig {
  const rotated = header.get("rope.dimension_count") ?? headDim;
  const values = header.get("attention.value_length") ?? headDim;
  if (values !== headDim)
    throw new CompError("architecture", `values of ${values} elements beside keys of ${headDim} are not supported`);
  return defined({
    partial_rotary_factor: rotated === headDim ? undefined : (rotated as number) / headDim,
    num_local_experts: header.get("expert_count") || undefined,
    attn_logit_softcapping: header.get("attn_logit_softcapping"),
    final_logit_softcapping: header.get("final_logit_softcapping"),
  });
}

/** Where a family may or may not have biases, the tensors tell. */
function biases(checkpoint: Checkpoint, { defaults }: Family): ModelConfig {
  return defined({
    attention_bias: "attention_bias" in defaults ? checkpoint.tensors.has("blk.0.attn_q.bias") : undefined,
    mlp_bias: "mlp_bias" in defaults ? checkpoint.tensors.has("blk.0.ffn_gate.bias") : undefined,
  });
}

function specialTokens(checkpoint: Checkpoint): ModelConfig {
  const id = (name: string): MetadataValue | undefined => checkpoint.metadata.get(`tokenizer.ggml.${name}_token_id`);
  return defined({ bos_token_id: id("bos"), eos_token_id: id("eos"), pad_token_id: id("padding") });
}

/** Quantized models are worked with in f16. */
function dtypeName(checkpoint: Checkpoint): string {
  const dtype = checkpoint.tensors.get("blk.0.attn_q.weight")?.dtype;
  return dtype === "F32" ? "float32" : dtype === "BF16" ? "bfloat16" : "float16";
}

/** The shortest decimal of an f32: 1e-5 rather than 0.00000999999974…. */
const shortest = (value: number): number => {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
};

const defined = (fields: ModelConfig): ModelConfig =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
