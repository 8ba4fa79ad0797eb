// Gemma 2: sandwich norms, a window in every other layer, caps on scores and logits.
import { fullEvery } from "../config/layer-types.ts";
import { SANDWICH_NORMS } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { gemma3 } from "./gemma3.ts";

export const gemma2: Family = {
  ...LLAMA,
  modelType: "gemma2",
  architecture: "Gemma2ForCausalLM",
  module: "gemma2",
  names: gemma3.names,
  defaults: {
    ...LLAMA_DEFAULTS,
    hidden_activation: "gelu_pytorch_tanh",
    tie_word_embeddings: true,
    max_position_embeddings: 8192,
    num_key_value_heads: 4,
    head_dim: 256,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    attention_bias: false,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  knows: ["attn_logit_softcapping", "final_logit_softcapping"],
  headsDivideHidden: true,
  bias: gemma3.bias,
  layerTypes: fullEvery(2),
  traits: (fields, hiddenSize) => {
    const cap = (key: string): number | undefined => (fields.get(key) === undefined ? undefined : fields.positive(key));
    return {
      norms: SANDWICH_NORMS,
      normOffset: 1,
      attentionScale: fields.positive("query_pre_attn_scalar") ** -0.5,
      embeddingScale: Math.sqrt(hiddenSize),
      scoreCap: cap("attn_logit_softcapping"),
      logitCap: cap("final_logit_softcapping"),
    };
  },
  storage: gemma3.storage,
};
