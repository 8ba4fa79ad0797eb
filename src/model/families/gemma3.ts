// Gemma 3, text only: sandwich norms, norms of queries and keys, and a window with a rotary base of its own in most layers.
import { CompError } from "../../errors.ts";
import { type ConfigFields, LIMITS, type ModelConfig } from "../config/config-fields.ts";
import { fullEveryNth } from "../config/layer-types.ts";
import { ropeByLayerType } from "../config/rope-config.ts";
import { type DecoderSpec, SANDWICH_NORMS } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA } from "./family.ts";
import { type GgufHeader, type HeaderSizes, PLAIN_GGUF } from "./gguf-traits.ts";

export const gemma3: Family = {
  ...LLAMA,
  modelType: "gemma3_text",
  architecture: "Gemma3ForCausalLM",
  module: "gemma3",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "gemma3",
    asDeci: false,
    regularWindows: true,
    config: ggufConfig,
    header: ggufHeader,
  },
  defaults: {
    hidden_activation: "gelu_pytorch_tanh",
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    rope_local_base_freq: 10_000,
    tie_word_embeddings: true,
    max_position_embeddings: 131_072,
    vocab_size: 262_208, // the published models of 4B and more leave out what is as here
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    sliding_window_pattern: 6,
    attention_bias: false,
  },
  names: { ...LLAMA.names, activation: "hidden_activation" },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  layerTypes: fullEveryNth,
  rope: ropeByLayerType,
  headsDivideHidden: true,
  traits: (fields, hiddenSize) => ({
    norms: SANDWICH_NORMS,
    normOffset: 1,
    queryKeyNorm: "head",
    attentionScale: fields.positive("query_pre_attn_scalar") ** -0.5,
    embeddingScale: Math.sqrt(hiddenSize),
  }),
  storage: {
    ...LLAMA.storage,
    modules: {
      attentionOutputNorm: "post_attention_layernorm",
      mlpNorm: "pre_feedforward_layernorm",
      mlpOutputNorm: "post_feedforward_layernorm",
    },
  },
};

/** Layers of the 27B model, the only one that scales its attention scores by another width than the head's. */
const LAYERS_OF_27B = 62;

/** Attention scores are scaled by the width of a head, in the 27B by another. */
const scalingOf = ({ hiddenSize, numHiddenLayers, numAttentionHeads, headDim }: HeaderSizes): number =>
  numHiddenLayers === LAYERS_OF_27B ? hiddenSize / numAttentionHeads : headDim;

/** Includes what llama.cpp hard-codes for Gemma 3: a window in five of six layers, and the score scaling of the 27B. */
function ggufConfig(header: ConfigFields, sizes: HeaderSizes): ModelConfig {
  const pattern = header.get("attention.sliding_window_pattern");
  return {
    query_pre_attn_scalar: scalingOf(sizes),
    sliding_window: header.size("attention.sliding_window", LIMITS.positions),
    ...(Array.isArray(pattern)
      ? { layer_types: pattern.map((sliding) => (sliding ? "sliding_attention" : "full_attention")) }
      : { sliding_window_pattern: pattern ?? 6 }),
    rope_local_base_freq: header.get("rope.freq_base_swa") ?? 10_000,
  };
}

/** llama.cpp can run full layers that return with one period, no other order. */
function ggufHeader(spec: DecoderSpec): GgufHeader {
  const attentions = spec.layers.flatMap((layer) => attentionOf(layer) ?? []);
  const sliding = attentions.find(({ slidingWindow }) => slidingWindow !== undefined);
  const { numAttentionHeads } = attentions[0]!;
  const scaling = scalingOf({ ...spec, numHiddenLayers: spec.layers.length, numAttentionHeads });
  if (Math.abs(spec.attentionScale * Math.sqrt(scaling) - 1) > 1e-6)
    throw new CompError(
      "architecture",
      `llama.cpp scales the attention of a gemma3 of ${spec.layers.length} layers otherwise`,
      {
        hint: "write a folder, or keep all layers",
      },
    );
  return {
    "attention.sliding_window": ["u32", sliding?.slidingWindow ?? spec.maxPositionEmbeddings],
    "attention.sliding_window_pattern": ["u32", slidingPeriod(spec)],
    "rope.freq_base_swa": ["f32", sliding?.rope?.theta ?? 10_000],
  };
}

/** The period with which full layers return. @throws {CompError} "architecture" when there is none. */
function slidingPeriod({ layers }: DecoderSpec): number {
  const fits = (period: number): boolean =>
    layers.every((layer, index) => (layer.type === "full_attention") === ((index + 1) % period === 0));
  const period = Array.from({ length: layers.length + 1 }, (_, i) => i + 1).find(fits);
  if (period !== undefined) return period;
  throw new CompError("architecture", "GGUF has no form for a gemma3 whose full layers do not return regularly", {
    hint: "write a folder, or keep all layers",
  });
}
