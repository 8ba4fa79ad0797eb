// Qwen 3.5: the gated delta rule in most layers, and an attention with an output gate in the others.
import type { ConfigFields } from "../config/config-fields.ts";
import { listedOr } from "../config/layer-types.ts";
import { LIMITS } from "../config/limits.ts";
import { partialRope } from "../config/rope-config.ts";
import type { GatedDelta } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";

export const qwen3_5: Family = {
  ...LLAMA,
  modelType: "qwen3_5_text",
  architecture: "Qwen3_5ForCausalLM",
  module: "qwen3_5",
  defaults: {
    ...LLAMA_DEFAULTS,
    max_position_embeddings: 32_768,
    num_key_value_heads: 4,
    head_dim: 256,
    partial_rotary_factor: 0.25,
    attention_bias: false,
    full_attention_interval: 4,
    linear_conv_kernel_dim: 4,
    linear_key_head_dim: 128,
    linear_value_head_dim: 128,
    linear_num_key_heads: 16,
    linear_num_value_heads: 32,
  },
  refuses: [["attention_bias", "its gated attention has biases"]],
  layerTypes: listedOr("full_attention_interval", "linear_attention"),
  mixers: { linear_attention: gatedDelta },
  rope: partialRope,
  traits: () => ({ normOffset: 1, queryKeyNorm: "head", outputGate: true }),
  prunedFields: () => ({ full_attention_interval: undefined }),
  storage: {
    ...LLAMA.storage,
    modules: { qGate: "self_attn.q_proj", convKernel: "linear_attn.conv1d" },
    byHead: ["self_attn.q_proj"],
    ofMixer: { "gated-delta": { oProj: "linear_attn.out_proj" } },
  },
};

function gatedDelta(fields: ConfigFields): GatedDelta {
  return {
    kind: "gated-delta",
    kernelSize: fields.size("linear_conv_kernel_dim", LIMITS.headDim),
    numKeyHeads: fields.size("linear_num_key_heads", LIMITS.heads),
    numValueHeads: fields.size("linear_num_value_heads", LIMITS.heads),
    keyHeadDim: fields.size("linear_key_head_dim", LIMITS.headDim),
    valueHeadDim: fields.size("linear_value_head_dim", LIMITS.headDim),
  };
}
