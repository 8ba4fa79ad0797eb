// Ernie 4.5: a Llama that rotates pairs of neighbours.
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const ernie4_5: Family = {
  ...LLAMA,
  modelType: "ernie4_5",
  architecture: "Ernie4_5ForCausalLM",
  module: "ernie4_5",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "ernie4_5",
    interleavedRotary: true,
    bias: { o: "either", mlp: "never" },
    asDeci: true,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    tie_word_embeddings: true,
    max_position_embeddings: 131_072,
    num_key_value_heads: 2,
    head_dim: 128,
    use_bias: false,
  },
  bias: { qkv: "use_bias", o: "use_bias", mlp: "use_bias" },
  storage: { ...LLAMA.storage, rotaryPairs: true },
};
