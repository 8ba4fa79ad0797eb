// Hunyuan, dense: norms of query and key heads after their rotation, a base that a fixed alpha stretches.
import { isObject, type ModelConfig } from "../config/config-fields.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const hunyuan: Family = {
  ...LLAMA,
  modelType: "hunyuan_v1_dense",
  architecture: "HunYuanDenseV1ForCausalLM",
  module: "hunyuan_v1_dense",
  gguf: { ...PLAIN_GGUF, architecture: "hunyuan-dense" },
  defaults: { ...LLAMA_DEFAULTS, rms_norm_eps: 1e-5, max_position_embeddings: 2048, attention_bias: false },
  // Tencent's own configurations count one expert
  knows: ["num_experts"],
  reads: (config) => ({ ...alphaRope(config, "rope_scaling"), ...alphaRope(config, "rope_parameters") }),
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  traits: () => ({ queryKeyNorm: "head", normsRotated: true }),
  storage: {
    ...LLAMA.storage,
    modules: { qNorm: "self_attn.query_layernorm", kNorm: "self_attn.key_layernorm" },
  },
};

/** What the checkpoints call dynamic is not, once they give an alpha. */
function alphaRope(config: ModelConfig, key: string): ModelConfig {
  const parameters = config[key];
  if (!isObject(parameters)) return {};
  const kind = parameters.rope_type ?? parameters.type;
  const isFixed = kind === "ntk_alpha" || (kind === "dynamic" && Boolean(parameters.alpha));
  return isFixed ? { [key]: { ...parameters, rope_type: "ntk-alpha" } } : {};
}
