// Ministral 3: a Mistral whose queries grow with their position.
import { LIMITS } from "../config/config-fields.ts";
import type { DecoderTraits } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { mistral } from "./mistral.ts";

export const ministral3: Family = {
  ...LLAMA,
  modelType: "ministral3",
  architecture: "Ministral3ForCausalLM",
  module: "ministral3",
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 262_144,
    num_key_value_heads: 8,
    head_dim: 128,
    rope_parameters: {
      rope_type: "yarn",
      rope_theta: 1_000_000,
      factor: 16,
      original_max_position_embeddings: 16_384,
      beta_fast: 32,
      beta_slow: 1,
      mscale_all_dim: 1,
      mscale: 1,
      llama_4_scaling_beta: 0.1,
    },
  },
  layerTypes: mistral.layerTypes,
  traits: (fields): Partial<DecoderTraits> => {
    const rope = fields.object("rope_parameters");
    if (rope.get("llama_4_scaling_beta") === undefined) return {};
    const original = rope.size("original_max_position_embeddings", LIMITS.positions);
    return { queryGrowth: { beta: rope.positive("llama_4_scaling_beta"), original } };
  },
};
