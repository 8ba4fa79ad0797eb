// Llama 1 to 3, and the many models that are a Llama in all but name.
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { LLAMA_GGUF } from "./gguf-traits.ts";

export const llama: Family = {
  ...LLAMA,
  modelType: "llama",
  architecture: "LlamaForCausalLM",
  module: "llama",
  headsDivideHidden: true,
  gguf: LLAMA_GGUF,
  defaults: { ...LLAMA_DEFAULTS, max_position_embeddings: 2048, attention_bias: false, mlp_bias: false },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: "mlp_bias" },
};
