// Mistral: a Llama with a window in all layers.
import { allSliding } from "../config/layer-types.ts";
import { type Family, LLAMA_GGUF, PLAIN, PLAIN_DEFAULTS } from "./family.ts";

export const mistral: Family = {
  ...PLAIN,
  modelType: "mistral",
  architecture: "MistralForCausalLM",
  module: "mistral",
  gguf: LLAMA_GGUF,
  defaults: { ...PLAIN_DEFAULTS, max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
  layerTypes: allSliding,
};
