// Qwen 3 MoE: a Qwen 3 of experts, with a plain MLP in some layers where the configuration says so.

import { allFull } from "../config/layer-types.ts";
import { softmaxAsStated } from "../config/mixture.ts";
import type { Family } from "./family.ts";
import { CHOSEN_SOFTMAX, PLAIN_GGUF } from "./gguf-traits.ts";
import { QWEN_LAYERS } from "./qwen-experts.ts";
import { qwen3 } from "./qwen3.ts";
import { SEPARATE_EXPERTS, stackedIn } from "./stacked-experts.ts";

export const qwen3Moe: Family = {
  ...qwen3,
  modelType: "qwen3_moe",
  architecture: "Qwen3MoeForCausalLM",
  module: "qwen3_moe",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "qwen3moe",
    experts: CHOSEN_SOFTMAX,
    config: () => ({ norm_topk_prob: true }),
  },
  defaults: {
    ...qwen3.defaults,
    num_key_value_heads: 4,
    decoder_sparse_step: 1,
    moe_intermediate_size: 768,
    num_local_experts: undefined,
    num_experts: 128,
    num_experts_per_tok: 8,
    norm_topk_prob: false,
  },
  refuses: [["use_sliding_window", "its attention has windows"]],
  layerTypes: allFull,
  mixture: {
    counts: ["num_local_experts", "num_experts"], // transformers 5 takes the former where both stand
    width: "moe_intermediate_size",
    routing: softmaxAsStated,
    ...QWEN_LAYERS,
  },
  storage: { ...qwen3.storage, modules: SEPARATE_EXPERTS, stackedExperts: stackedIn("mlp") },
};
