// GLM 4: sandwich norms, half of each head rotated in pairs of neighbours, gate and up fused.
import { partialRope } from "../config/rope-config.ts";
import { SANDWICH_NORMS } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const glm4: Family = {
  ...LLAMA,
  modelType: "glm4",
  architecture: "Glm4ForCausalLM",
  module: "glm4",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "glm4",
    modules: { gateProj: "ffn_up" },
    interleavedRotary: true,
    partialRotation: true,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1.5625e-7,
    max_position_embeddings: 131_072,
    num_key_value_heads: 2,
    head_dim: 128,
    partial_rotary_factor: 0.5,
    attention_bias: true,
  },
  bias: { qkv: "attention_bias", o: false, mlp: false },
  rope: partialRope,
  traits: () => ({ norms: SANDWICH_NORMS }),
  storage: {
    ...LLAMA.storage,
    modules: {
      attentionOutputNorm: "post_self_attn_layernorm",
      mlpOutputNorm: "post_mlp_layernorm",
      gateProj: "mlp.gate_up_proj",
      upProj: "mlp.gate_up_proj",
    },
    rotaryPairs: true,
  },
};
