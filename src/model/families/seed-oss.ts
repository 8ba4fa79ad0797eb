// Seed-OSS: a Llama with biases on queries, keys and values.
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const seedOss: Family = {
  ...LLAMA,
  modelType: "seed_oss",
  architecture: "SeedOssForCausalLM",
  module: "seed_oss",
  gguf: { ...PLAIN_GGUF, architecture: "seed_oss", modules: { mlpNorm: "post_attention_norm" }, asDeci: true },
  defaults: {
    ...LLAMA_DEFAULTS,
    max_position_embeddings: 524_288,
    num_key_value_heads: 8,
    head_dim: 128,
    attention_bias: true,
    attention_out_bias: false,
    mlp_bias: false,
  },
  bias: { qkv: "attention_bias", o: "attention_out_bias", mlp: "mlp_bias" },
};
