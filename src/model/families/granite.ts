// Granite 3: a Llama with four multipliers.
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";

export const granite: Family = {
  ...LLAMA,
  modelType: "granite",
  architecture: "GraniteForCausalLM",
  module: "granite",
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
