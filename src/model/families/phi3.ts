// Phi-3 and Phi-4: fused projections, a part of each head rotated, frequencies that depend on the length of the text.
import type { ModelConfig } from "../config/config-fields.ts";
import { isObject } from "../config/config-fields.ts";
import { allSliding } from "../config/layer-types.ts";
import { partialRope } from "../config/rope-config.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { FUSED_QKV, type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";

export const phi3: Family = {
  ...LLAMA,
  modelType: "phi3",
  architecture: "Phi3ForCausalLM",
  module: "phi3",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "phi3",
    modules: { ...FUSED_QKV, gateProj: "ffn_up" },
    ropeFactors: true,
    partialRotation: true,
    anyHeads: false,
    asDeci: true,
    config: (header) => ({
      original_max_position_embeddings: header.get("rope.scaling.original_context_length"),
      sliding_window: header.get("attention.sliding_window") || undefined,
    }),
    header: ggufHeader,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 4096,
    original_max_position_embeddings: 4096,
  },
  factorsFollowHeads: true,
  layerTypes: allSliding,
  rope: partialRope,
  reads: longropeByOldNames,
  storage: {
    ...LLAMA.storage,
    modules: {
      qProj: "self_attn.qkv_proj",
      kProj: "self_attn.qkv_proj",
      vProj: "self_attn.qkv_proj",
      gateProj: "mlp.gate_up_proj",
      upProj: "mlp.gate_up_proj",
    },
  },
};

/** The window is kept though llama.cpp does not apply it; 0 where there is none. */
function ggufHeader({ layers }: DecoderSpec): GgufHeader {
  const window = layers.map((layer) => attentionOf(layer)?.slidingWindow).find((one) => one !== undefined);
  return { "attention.sliding_window": ["u32", window ?? 0] };
}

/** First releases call it "su" or "yarn". */
function longropeByOldNames(config: ModelConfig): ModelConfig {
  const read = (key: string): ModelConfig => {
    const parameters = config[key];
    if (!isObject(parameters)) return {};
    const kind = parameters.rope_type ?? parameters.type;
    return kind === "su" || kind === "yarn" ? { [key]: { ...parameters, rope_type: "longrope" } } : {};
  };
  return { ...read("rope_scaling"), ...read("rope_parameters") };
}
