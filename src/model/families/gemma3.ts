// Gemma 3, text only: sandwich norms, norms of queries and keys, and a window with a rotary base of its own in most layers.
import { CompError } from "../../errors.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { fullEveryNth } from "../config/layer-types.ts";
import { ropeByLayerType } from "../config/rope-config.ts";
import { type DecoderSpec, SANDWICH_NORMS } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA } from "./family.ts";
import { type GgufHeader, type HeaderSizes, PLAIN_GGUF } from "./gguf-traits.ts";
import { windowConfig, windowHeader } from "./gguf-windows.ts";

/** Layers of the 27B model. */
const LAYERS_OF_27B = 62;

export const gemma3: Family = {
  ...LLAMA,
  modelType: "gemma3_text",
  architecture: "Gemma3ForCausalLM",
  module: "gemma3",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "gemma3",
    windows: true,
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

/** Includes what llama.cpp hard-codes for Gemma 3: a window in five of six layers, and the score scaling of the 27B. */
function ggufConfig(header: ConfigFields, sizes: HeaderSizes): ModelConfig {
  return {
    ...windowConfig(header, 6),
    query_pre_attn_scalar: scoreWidth(sizes, LAYERS_OF_27B),
    rope_local_base_freq: header.get("rope.freq_base_swa") ?? 10_000,
  };
}

function ggufHeader(spec: DecoderSpec): GgufHeader {
  checkScoreWidth(spec, LAYERS_OF_27B);
  return windowHeader(spec);
}

/** llama.cpp scales attention scores by the width of a head; by another in the 27B, which it knows by its number of layers. */
export const scoreWidth = (
  { hiddenSize, numHiddenLayers, numAttentionHeads, headDim }: Omit<HeaderSizes, "rotarySize">,
  layersOf27B: number,
): number => (numHiddenLayers === layersOf27B ? Math.floor(hiddenSize / numAttentionHeads) : headDim);

/** @throws {CompError} "architecture" when llama.cpp would scale the scores otherwise */
export function checkScoreWidth(spec: DecoderSpec, layersOf27B: number): void {
  const { family, layers, attentionScale } = spec;
  const { numAttentionHeads } = layers.flatMap((layer) => attentionOf(layer) ?? [])[0]!;
  const width = scoreWidth({ ...spec, numHiddenLayers: layers.length, numAttentionHeads }, layersOf27B);
  if (Math.abs(attentionScale * Math.sqrt(width) - 1) <= 1e-6) return;
  throw new CompError(
    "architecture",
    `llama.cpp scales the attention of a ${family} of ${layers.length} layers otherwise`,
    {
      hint: "write a folder, or keep all layers",
    },
  );
}
