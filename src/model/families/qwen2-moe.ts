// Qwen 2 and 1.5 MoE: experts beside one that all tokens go to, behind a gate; some layers may have a plain MLP.
import { softmaxAsStated } from "../config/mixture.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { mixtureOf, sharedWidth } from "../spec/parts.ts";
import type { Family } from "./family.ts";
import { CHOSEN_SOFTMAX, type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";
import { gatedExpert, QWEN_LAYERS } from "./qwen-experts.ts";
import { qwen2 } from "./qwen2.ts";
import { SEPARATE_EXPERTS, stackedIn } from "./stacked-experts.ts";

/** Key of a GGUF header for the width of the shared expert. */
const SHARED_WIDTH = "expert_shared_feed_forward_length";

export const qwen2Moe: Family = {
  ...qwen2,
  modelType: "qwen2_moe",
  architecture: "Qwen2MoeForCausalLM",
  module: "qwen2_moe",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "qwen2moe",
    anyHeads: false,
    head: "own",
    experts: { ...CHOSEN_SOFTMAX, renormalised: false },
    config: (header) => ({
      use_sliding_window: false,
      // older files leave it out; llama.cpp then takes the width that a plain MLP would have
      shared_expert_intermediate_size: header.get(SHARED_WIDTH) ?? header.get("feed_forward_length"),
    }),
    header: ggufHeader,
  },
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

function ggufHeader({ layers }: DecoderSpec): GgufHeader {
  const [mixture] = layers.flatMap((layer) => mixtureOf(layer) ?? []);
  return mixture === undefined ? {} : { [SHARED_WIDTH]: ["u32", sharedWidth(mixture)] };
}
