// OLMoE: experts in all layers, norms of all queries and all keys together.
import { CompError } from "../../errors.ts";
import { softmaxAsStated } from "../config/mixture.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { CHOSEN_SOFTMAX, type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";
import { SEPARATE_EXPERTS, stackedIn } from "./stacked-experts.ts";

export const olmoe: Family = {
  ...LLAMA,
  modelType: "olmoe",
  architecture: "OlmoeForCausalLM",
  module: "olmoe",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "olmoe",
    anyHeads: false,
    head: "own",
    experts: { ...CHOSEN_SOFTMAX, renormalised: false },
    header: ggufHeader,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 4096,
    attention_bias: false,
    num_experts: 64,
    num_experts_per_tok: 8,
    norm_topk_prob: false,
  },
  refuses: [["clip_qkv", "it clips queries, keys and values"]],
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  mixture: { counts: ["num_experts"], width: "intermediate_size", routing: softmaxAsStated },
  traits: () => ({ queryKeyNorm: "all-heads" }),
  storage: { ...LLAMA.storage, modules: SEPARATE_EXPERTS, stackedExperts: stackedIn("mlp") },
};

/** @throws {CompError} "architecture" for keys that queries share, whose norm llama.cpp takes to be as wide as that of all queries */
function ggufHeader({ layers }: DecoderSpec): GgufHeader {
  const shares = layers.some((layer) => {
    const attention = attentionOf(layer);
    return attention !== undefined && attention.numKeyValueHeads !== attention.numAttentionHeads;
  });
  if (!shares) return {};
  throw new CompError("architecture", "llama.cpp's olmoe does not know key-value heads that several queries share", {
    hint: "write a folder",
  });
}
