// Qwen 2 and 2.5: biases on queries, keys and values.
import { slidingAfterFirst } from "../config/layer-types.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const qwen2: Family = {
  ...LLAMA,
  modelType: "qwen2",
  architecture: "Qwen2ForCausalLM",
  module: "qwen2",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "qwen2",
    anyHeads: false,
    asDeci: true,
    config: () => ({ use_sliding_window: false }),
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    max_position_embeddings: 32_768,
    num_key_value_heads: 32,
    use_sliding_window: false,
    sliding_window: 4096,
    max_window_layers: 28,
  },
  bias: { qkv: true, o: false, mlp: false },
  layerTypes: slidingAfterFirst,
};
