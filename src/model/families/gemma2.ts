// Gemma 2: sandwich norms, a window in every other layer, caps on scores and logits.
import { CompError } from "../../errors.ts";
import { fullEvery } from "../config/layer-types.ts";
import { type DecoderSpec, SANDWICH_NORMS } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { checkScoreWidth, gemma3, scoreWidth } from "./gemma3.ts";
import { type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";
import { windowConfig, windowHeader } from "./gguf-windows.ts";

/** Layers of the 27B model. */
const LAYERS_OF_27B = 46;

export const gemma2: Family = {
  ...LLAMA,
  modelType: "gemma2",
  architecture: "Gemma2ForCausalLM",
  module: "gemma2",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "gemma2",
    head: "tied",
    windows: true,
    config: (header, sizes) => ({
      ...windowConfig(header, 2),
      query_pre_attn_scalar: scoreWidth(sizes, LAYERS_OF_27B),
    }),
    header: ggufHeader,
  },
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

/** @throws {CompError} "architecture" without the caps, which llama.cpp always applies */
function ggufHeader(spec: DecoderSpec): GgufHeader {
  checkScoreWidth(spec, LAYERS_OF_27B);
  const { scoreCap, logitCap } = spec;
  if (scoreCap === undefined || logitCap === undefined)
    throw new CompError("architecture", "llama.cpp's gemma2 does not know scores or logits without a cap", {
      hint: "write a folder",
    });
  return {
    ...windowHeader(spec),
    attn_logit_softcapping: ["f32", scoreCap],
    final_logit_softcapping: ["f32", logitCap],
  };
}
