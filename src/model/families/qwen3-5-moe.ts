// Qwen 3.5 MoE: a Qwen 3.5 of experts, beside one that all tokens go to.
import { SOFTMAX } from "../config/mixture.ts";
import type { Family } from "./family.ts";
import { gatedExpert } from "./qwen-experts.ts";
import { qwen3_5 } from "./qwen3-5.ts";
import { SEPARATE_EXPERTS, stackedIn } from "./stacked-experts.ts";

export const qwen3_5Moe: Family = {
  ...qwen3_5,
  modelType: "qwen3_5_moe_text",
  architecture: "Qwen3_5MoeForCausalLM",
  module: "qwen3_5_moe",
  defaults: {
    ...qwen3_5.defaults,
    num_key_value_heads: 2,
    moe_intermediate_size: 512,
    shared_expert_intermediate_size: 512,
    num_experts: 256,
    num_experts_per_tok: 8,
  },
  mixture: {
    counts: ["num_experts"],
    width: "moe_intermediate_size",
    shared: gatedExpert,
    routing: () => SOFTMAX,
  },
  storage: {
    ...qwen3_5.storage,
    modules: { ...qwen3_5.storage.modules, ...SEPARATE_EXPERTS },
    stackedExperts: stackedIn("mlp"),
  },
};
