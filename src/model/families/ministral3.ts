// Ministral 3: a Mistral whose queries grow with their position.
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { originalLength, ropeParameters } from "../config/rope-config.ts";
import type { DecoderTraits } from "../spec/decoder-spec.ts";
import type { Family } from "./family.ts";
import { mistral } from "./mistral.ts";

const { gguf: _, ...shared } = mistral;

/** What transformers takes where the configuration says nothing about rotation. */
const ROPE_PARAMETERS: ModelConfig = {
  rope_type: "yarn",
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale: 1,
  mscale_all_dim: 1,
  llama_4_scaling_beta: 0.1,
};

export const ministral3: Family = {
  ...shared,
  modelType: "ministral3",
  architecture: "Ministral3ForCausalLM",
  module: "ministral3",
  defaults: {
    ...mistral.defaults,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 262_144,
    head_dim: 128,
    sliding_window: null,
  },
  reads: ({ rope_parameters: parameters }) => ({ rope_parameters: parameters ?? ROPE_PARAMETERS }),
  traits: (fields) => ({ queryGrowth: queryGrowth(fields) }),
};

function queryGrowth(fields: ConfigFields): DecoderTraits["queryGrowth"] {
  const parameters = ropeParameters(fields);
  const key = "llama_4_scaling_beta";
  if (parameters.get(key) === 0) return undefined;
  return { beta: parameters.positive(key), original: originalLength(parameters, fields) };
}
