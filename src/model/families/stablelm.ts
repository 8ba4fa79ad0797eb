// StableLM: layer norms, a quarter of each head rotated; in some releases a norm for each head, or both sublayers side by side.
import { partialRope } from "../config/rope-config.ts";
import { PRE_NORMS } from "../spec/decoder-spec.ts";
import { type Family, LAYER_NORM, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const stablelm: Family = {
  ...LLAMA,
  modelType: "stablelm",
  architecture: "StableLmForCausalLM",
  module: "stablelm",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "stablelm",
    partialRotation: true,
    anyHeads: false,
    head: "own",
    config: (header) => ({ use_parallel_residual: header.flag("use_parallel_residual") }),
    header: ({ parallel }) => ({ use_parallel_residual: ["bool", parallel] }),
  },
  names: { ...LLAMA.names, headDim: null, normEpsilon: "layer_norm_eps" },
  defaults: {
    ...LLAMA_DEFAULTS,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 4096,
    num_key_value_heads: 32,
    partial_rotary_factor: 0.25,
    use_qkv_bias: false,
    qk_layernorm: false,
    use_parallel_residual: false,
  },
  bias: { qkv: "use_qkv_bias", o: false, mlp: false },
  rope: partialRope,
  traits: (fields) => {
    const parallel = fields.flag("use_parallel_residual");
    return {
      ...LAYER_NORM,
      parallel,
      norms: parallel ? ["attentionNorm"] : PRE_NORMS,
      queryKeyNorm: fields.flag("qk_layernorm") ? "each-head" : "none",
    };
  },
  storage: {
    ...LLAMA.storage,
    modules: { qHeadNorms: "self_attn.q_layernorm.norms.{head}", kHeadNorms: "self_attn.k_layernorm.norms.{head}" },
  },
};
