// Granite 3: a Llama with four multipliers.
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { type GgufHeader, LLAMA_FORM, PLAIN_GGUF } from "./gguf-traits.ts";

export const granite: Family = {
  ...LLAMA,
  modelType: "granite",
  architecture: "GraniteForCausalLM",
  module: "granite",
  gguf: {
    ...PLAIN_GGUF,
    ...LLAMA_FORM,
    architecture: "granite",
    scales: true,
    config: (header, { headDim }) => ({
      embedding_multiplier: header.get("embedding_scale") || 1,
      attention_multiplier: header.get("attention.scale") || headDim ** -0.5,
      residual_multiplier: header.get("residual_scale") || 1,
      logits_scaling: header.get("logit_scale") || 1,
    }),
    header: ggufHeader,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    max_position_embeddings: 2048,
    attention_bias: false,
    mlp_bias: false,
    embedding_multiplier: 1,
    attention_multiplier: 1,
    residual_multiplier: 1,
    logits_scaling: 1,
  },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: "mlp_bias" },
  traits: (fields) => ({
    embeddingScale: fields.positive("embedding_multiplier"),
    attentionScale: fields.positive("attention_multiplier"),
    residualScale: fields.positive("residual_multiplier"),
    logitScale: 1 / fields.positive("logits_scaling"),
  }),
};

function ggufHeader({ embeddingScale, attentionScale, residualScale, logitScale }: DecoderSpec): GgufHeader {
  return {
    embedding_scale: ["f32", embeddingScale],
    "attention.scale": ["f32", attentionScale],
    residual_scale: ["f32", residualScale],
    logit_scale: ["f32", 1 / logitScale],
  };
}
