// Qwen 2 and 1.5 MoE: experts beside one that all tokens go to, behind a gate; some layers may have a plain MLP.
import { softmaxAsStated } from "../config/mixture.ts";
import type { Family } from "./family.ts";
import { gatedExpert, QWEN_LAYERS } from "./qwen-experts.ts";
import { qwen2 } from "./qwen2.ts";
import { SEPARATE_EXPERTS, stackedIn } from "./stacked-experts.ts";

const { gguf: _, ...dense } = qwen2;

export const qwen2Moe: Family = {
  ...dense,
  modelType: "qwen2_moe",
  architecture: "Qwen2MoeForCausalLM",
  module: "qwen2_moe",
  defaults: {
    ...qwen2.defaults,
    num_key_value_heads: 16,
    decoder_sparse_step: 1,
    moe_intermediate_size: 1408,
    shared_expert_intermediate_size: 5632,
    num_experts: 60,
    num_experts_per_tok: 4,
    norm_topk_prob: false,
    qkv_bias: true,
  },
  bias: { qkv: "qkv_bias", o: false, mlp: false },
  mixture: {
    counts: ["num_experts"],
    width: "moe_intermediate_size",
    shared: gatedExpert,
    routing: softmaxAsStated,
    ...QWEN_LAYERS,
  },
  storage: { ...qwen2.storage, modules: SEPARATE_EXPERTS, stackedExperts: stackedIn("mlp") },
};
