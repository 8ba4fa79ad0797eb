// Granite 3 MoE: a Granite of experts, whose matrices are stacked.
import { SOFTMAX } from "../config/mixture.ts";
import type { Family } from "./family.ts";
import { CHOSEN_SOFTMAX } from "./gguf-traits.ts";
import { granite } from "./granite.ts";
import { stackedIn } from "./stacked-experts.ts";

export const graniteMoe: Family = {
  ...granite,
  modelType: "granitemoe",
  architecture: "GraniteMoeForCausalLM",
  module: "granitemoe",
  gguf: { ...granite.gguf!, architecture: "granitemoe", experts: CHOSEN_SOFTMAX },
  defaults: { ...granite.defaults, num_local_experts: 8, num_experts_per_tok: 2 },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  mixture: { counts: ["num_local_experts"], width: "intermediate_size", routing: () => SOFTMAX },
  storage: {
    ...granite.storage,
    modules: {
      router: "block_sparse_moe.router.layer",
      expertGate: "block_sparse_moe.input_linear",
      expertUp: "block_sparse_moe.input_linear",
      expertDown: "block_sparse_moe.output_linear",
    },
    stackedExperts: stackedIn("block_sparse_moe"),
  },
};
