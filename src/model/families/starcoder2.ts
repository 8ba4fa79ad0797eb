// StarCoder 2: a Mistral with layer norms, biases, and an MLP without a gate.
import { allSliding } from "../config/layer-types.ts";
import { type Family, LAYER_NORM, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const starcoder2: Family = {
  ...LLAMA,
  modelType: "starcoder2",
  architecture: "Starcoder2ForCausalLM",
  module: "starcoder2",
  gguf: { ...PLAIN_GGUF, architecture: "starcoder2", anyHeads: false, bias: { o: "always", mlp: "always" } },
  names: { ...LLAMA.names, normEpsilon: "norm_epsilon" },
  defaults: {
    ...LLAMA_DEFAULTS,
    hidden_act: "gelu_pytorch_tanh",
    norm_epsilon: 1e-5,
    tie_word_embeddings: true,
    max_position_embeddings: 4096,
    num_key_value_heads: 2,
    use_bias: true,
  },
  bias: { qkv: "use_bias", o: "use_bias", mlp: "use_bias" },
  layerTypes: allSliding,
  traits: () => ({ ...LAYER_NORM, gated: false }),
  storage: { ...LLAMA.storage, modules: { upProj: "mlp.c_fc", downProj: "mlp.c_proj" } },
};
