// GLM 4.5: experts chosen by a sigmoid with a correction, shared ones beside them, the first layers without any.
import { CompError } from "../../errors.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { LIMITS } from "../config/limits.ts";
import { partialRope } from "../config/rope-config.ts";
import type { DecoderSpec, Routing } from "../spec/decoder-spec.ts";
import { mixtureOf, type SharedExpert } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";
import { SEPARATE_EXPERTS, stackedIn } from "./stacked-experts.ts";

export const glm4Moe: Family = {
  ...LLAMA,
  modelType: "glm4_moe",
  architecture: "Glm4MoeForCausalLM",
  module: "glm4_moe",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "glm4moe",
    modules: { mlpNorm: "post_attention_norm" },
    partialRotation: true,
    queryKeyNormField: "use_qk_norm",
    experts: { scores: "sigmoid", renormalised: true, correction: true, denseFirst: true },
    config: ggufConfig,
    header: ggufHeader,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 131_072,
    num_key_value_heads: 8,
    head_dim: 128,
    partial_rotary_factor: 0.5,
    attention_bias: false,
    moe_intermediate_size: 1408,
    num_experts_per_tok: 8,
    n_shared_experts: 1,
    n_routed_experts: 128,
    routed_scaling_factor: 1,
    n_group: 1,
    topk_group: 1,
    first_k_dense_replace: 1,
    norm_topk_prob: true,
    use_qk_norm: false,
  },
  bias: { qkv: "attention_bias", o: false, mlp: false },
  mixture: {
    counts: ["n_routed_experts"],
    width: "moe_intermediate_size",
    shared,
    isDense: (fields, index) => index < ((fields.get("first_k_dense_replace") as number | undefined) ?? 0),
    denseFields: (_, dense) => ({ first_k_dense_replace: dense.length }),
    routing,
  },
  rope: partialRope,
  traits: (fields) => ({ queryKeyNorm: fields.flag("use_qk_norm") ? "head" : "none" }),
  storage: {
    ...LLAMA.storage,
    modules: {
      ...SEPARATE_EXPERTS,
      sharedGate: "mlp.shared_experts.gate_proj",
      sharedUp: "mlp.shared_experts.up_proj",
      sharedDown: "mlp.shared_experts.down_proj",
    },
    stackedExperts: stackedIn("mlp"),
  },
};

function shared(fields: ConfigFields): SharedExpert {
  return { width: { experts: fields.size("n_shared_experts", LIMITS.heads) }, gated: false };
}

function routing(fields: ConfigFields): Routing {
  const count = fields.size("n_group", LIMITS.heads);
  return {
    scores: "sigmoid",
    renormalised: fields.flag("norm_topk_prob") ? { plus: 1e-20 } : undefined,
    scale: fields.positive("routed_scaling_factor"),
    bias: false,
    correction: true,
    groups: count === 1 ? undefined : { count, chosen: fields.size("topk_group", LIMITS.heads) },
    expertBias: false,
  };
}

/** Keys of a GGUF header beyond those of all mixtures. */
const KEYS = {
  shared: "expert_shared_count",
  renormalised: "expert_weights_norm",
  ahead: "nextn_predict_layers",
} as const;

/** @throws {CompError} "architecture" for a file with layers that predict further tokens, which it counts among the others */
function ggufConfig(header: ConfigFields): ModelConfig {
  const ahead = header.get(KEYS.ahead) ?? 0;
  if (ahead !== 0)
    throw new CompError(
      "architecture",
      `its GGUF header has ${KEYS.ahead} ${ahead}: layers that predict further tokens`,
      {
        hint: "prune the Hugging Face folder, whose layers of this kind are left out",
      },
    );
  return {
    n_shared_experts: header.get(KEYS.shared),
    norm_topk_prob: header.get(KEYS.renormalised) ?? false,
  };
}

function ggufHeader({ layers, routing }: DecoderSpec): GgufHeader {
  const [mixture] = layers.flatMap((layer) => mixtureOf(layer) ?? []);
  const width = mixture?.shared?.width;
  if (width === undefined || !("experts" in width)) return {};
  return { [KEYS.shared]: ["u32", width.experts], [KEYS.renormalised]: ["bool", routing?.renormalised !== undefined] };
}
