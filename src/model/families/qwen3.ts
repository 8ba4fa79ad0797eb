// Qwen 3: norms of each query and key head, biases only where the configuration asks for them.
import type { Family } from "./family.ts";
import { qwen2 } from "./qwen2.ts";

const { gguf: _, ...shared } = qwen2;

export const qwen3: Family = {
  ...shared,
  modelType: "qwen3",
  architecture: "Qwen3ForCausalLM",
  module: "qwen3",
  defaults: { ...qwen2.defaults, head_dim: 128, attention_bias: false },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  traits: () => ({ queryKeyNorm: "head" }),
};
