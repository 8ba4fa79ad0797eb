// Arcee: a Llama whose MLP has no gate, and squares what ReLU lets through.
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const arcee: Family = {
  ...LLAMA,
  modelType: "arcee",
  architecture: "ArceeForCausalLM",
  module: "arcee",
  gguf: { ...PLAIN_GGUF, architecture: "arcee", interleavedRotary: true, ropeDivisors: true },
  defaults: {
    ...LLAMA_DEFAULTS,
    hidden_act: "relu2",
    rms_norm_eps: 1e-5,
    max_position_embeddings: 4096,
    attention_bias: false,
    mlp_bias: false,
  },
  headsDivideHidden: true,
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: "mlp_bias" },
  traits: () => ({ gated: false }),
};
