// OLMo 2: norms behind attention and MLP alone, and of all queries and all keys together.
import { POST_NORMS } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const olmo2: Family = {
  ...LLAMA,
  modelType: "olmo2",
  architecture: "Olmo2ForCausalLM",
  module: "olmo2",
  gguf: { ...PLAIN_GGUF, architecture: "olmo2", anyHeads: false, head: "own" },
  defaults: { ...LLAMA_DEFAULTS, rms_norm_eps: 1e-5, max_position_embeddings: 2048, attention_bias: false },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  traits: () => ({ norms: POST_NORMS, queryKeyNorm: "all-heads" }),
  storage: {
    ...LLAMA.storage,
    modules: {
      attentionOutputNorm: "post_attention_layernorm",
      mlpOutputNorm: "post_feedforward_layernorm",
    },
  },
};
