// LFM2 MoE: an LFM2 of experts chosen by a sigmoid, the first layers without any.
import type { ConfigFields } from "../config/config-fields.ts";
import type { Routing } from "../spec/decoder-spec.ts";
import type { Family } from "./family.ts";
import { lfm2 } from "./lfm2.ts";
import { stackedIn } from "./stacked-experts.ts";

const { gguf, width: _width, reads: _reads, prunedFields: _fields, ...dense } = lfm2;

export const lfm2Moe: Family = {
  ...dense,
  modelType: "lfm2_moe",
  architecture: "Lfm2MoeForCausalLM",
  module: "lfm2_moe",
  gguf: {
    ...gguf!,
    architecture: "lfm2moe",
    experts: { scores: "sigmoid", renormalised: true, correction: true, denseFirst: true },
  },
  defaults: {
    ...lfm2.defaults,
    moe_intermediate_size: 1792,
    num_dense_layers: 2,
    num_experts: 32,
    num_experts_per_tok: 4,
    use_expert_bias: true,
    routed_scaling_factor: 1,
    norm_topk_prob: true,
  },
  prunedFields: () => ({ full_attn_idxs: undefined }),
  mixture: {
    counts: ["num_experts"],
    width: "moe_intermediate_size",
    isDense: (fields, index) => index < ((fields.get("num_dense_layers") as number | undefined) ?? 0),
    denseFields: (_config, layers) => ({ num_dense_layers: layers.length }),
    routing,
  },
  storage: {
    ...lfm2.storage,
    modules: {
      ...lfm2.storage.modules,
      router: "feed_forward.gate",
      routerCorrection: "feed_forward.expert_bias",
      expertGate: "feed_forward.experts.{expert}.w1",
      expertUp: "feed_forward.experts.{expert}.w3",
      expertDown: "feed_forward.experts.{expert}.w2",
    },
    stackedExperts: stackedIn("feed_forward"),
  },
};

function routing(fields: ConfigFields): Routing {
  return {
    scores: "sigmoid",
    renormalised: fields.flag("norm_topk_prob") ? { plus: 1e-6 } : undefined,
    scale: fields.positive("routed_scaling_factor"),
    bias: false,
    correction: fields.flag("use_expert_bias"),
    groups: undefined,
    expertBias: false,
  };
}
