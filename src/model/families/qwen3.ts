// Qwen 3: norms of each query and key head, biases only where the configuration asks for them.
import type { Family } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";
import { qwen2 } from "./qwen2.ts";

export const qwen3: Family = {
  ...qwen2,
  modelType: "qwen3",
  architecture: "Qwen3ForCausalLM",
  module: "qwen3",
  gguf: { ...PLAIN_GGUF, architecture: "qwen3", config: () => ({ use_sliding_window: false }) },
  defaults: { ...qwen2.defaults, head_dim: 128, attention_bias: false },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  traits: () => ({ queryKeyNorm: "head" }),
};
