// Gemma 1: a Llama with norms of weight + 1 and scaled embeddings.
import type { ModelConfig } from "../config/config-fields.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const gemma: Family = {
  ...LLAMA,
  modelType: "gemma",
  architecture: "GemmaForCausalLM",
  module: "gemma",
  gguf: { ...PLAIN_GGUF, architecture: "gemma", head: "tied" },
  defaults: {
    ...LLAMA_DEFAULTS,
    hidden_act: "gelu_pytorch_tanh",
    tie_word_embeddings: true,
    max_position_embeddings: 8192,
    num_key_value_heads: 16,
    head_dim: 256,
    attention_bias: false,
  },
  // the first releases say "gelu" and mean its approximation
  reads: ({ hidden_act }): ModelConfig => (hidden_act === "gelu" ? { hidden_act: "gelu_pytorch_tanh" } : {}),
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  traits: (_, hiddenSize) => ({ normOffset: 1, embeddingScale: Math.sqrt(hiddenSize) }),
};
