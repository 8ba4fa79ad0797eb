// Mistral: a Llama with a window in all layers.
import { allSliding } from "../config/layer-types.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { LLAMA_GGUF } from "./gguf-traits.ts";

export const mistral: Family = {
  ...LLAMA,
  modelType: "mistral",
  architecture: "MistralForCausalLM",
  module: "mistral",
  gguf: LLAMA_GGUF,
  defaults: { ...LLAMA_DEFAULTS, max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
  layerTypes: allSliding,
};
