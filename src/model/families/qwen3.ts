// Qwen 3: norms of each query and key head, biases only where the configuration asks for them.
import { slidingAfterFirst } from "../config/layer-types.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const qwen3: Family = {
  ...LLAMA,
  modelType: "qwen3",
  architecture: "Qwen3ForCausalLM",
  module: "qwen3",
  gguf: { ...PLAIN_GGUF, architecture: "qwen3", config: () => ({ use_sliding_window: false }) },
  defaults: {
    ...LLAMA_DEFAULTS,
    max_position_embeddings: 32_768,
    num_key_value_heads: 32,
    head_dim: 128,
    attention_bias: false,
    use_sliding_window: false,
    sliding_window: 4096,
    max_window_layers: 28,
  },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  layerTypes: slidingAfterFirst,
  traits: () => ({ queryKeyNorm: "head" }),
};
