// Mixtral: a Mistral whose MLPs are mixtures of experts.
import { SOFTMAX } from "../config/mixture.ts";
import type { Family } from "./family.ts";
import { CHOSEN_SOFTMAX, LLAMA_GGUF } from "./gguf-traits.ts";
import { mistral } from "./mistral.ts";
import { stackedIn } from "./stacked-experts.ts";

export const mixtral: Family = {
  ...mistral,
  modelType: "mixtral",
  architecture: "MixtralForCausalLM",
  module: "mixtral",
  gguf: { ...LLAMA_GGUF, asDeci: false, mark: "expert_count", experts: CHOSEN_SOFTMAX },
  defaults: {
    ...mistral.defaults,
    rms_norm_eps: 1e-5,
    rope_theta: 1_000_000,
    sliding_window: undefined,
    num_local_experts: 8,
    num_experts_per_tok: 2,
  },
  mixture: { counts: ["num_local_experts"], width: "intermediate_size", routing: () => SOFTMAX },
  storage: {
    ...mistral.storage,
    modules: {
      router: "block_sparse_moe.gate",
      expertGate: "block_sparse_moe.experts.{expert}.w1",
      expertUp: "block_sparse_moe.experts.{expert}.w3",
      expertDown: "block_sparse_moe.experts.{expert}.w2",
    },
    stackedExperts: stackedIn("block_sparse_moe"),
  },
};
