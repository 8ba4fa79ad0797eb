// Ministral 3: a Mistral whose queries grow with their position.
import { type ConfigFields, isObject, type ModelConfig } from "../config/config-fields.ts";
import { originalLength, ropeParameters } from "../config/rope-config.ts";
import type { DecoderSpec, DecoderTraits } from "../spec/decoder-spec.ts";
import type { Family } from "./family.ts";
import { type GgufHeader, type HeaderSizes, LLAMA_FORM, PLAIN_GGUF } from "./gguf-traits.ts";
import { mistral } from "./mistral.ts";

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

/** Queries grow from it on. */
const ORIGINAL_LENGTH = "rope.scaling.original_context_length";

export const ministral3: Family = {
  ...mistral,
  modelType: "ministral3",
  architecture: "Ministral3ForCausalLM",
  module: "ministral3",
  gguf: {
    ...PLAIN_GGUF,
    ...LLAMA_FORM,
    architecture: "mistral3",
    yarnKeys: true,
    config: ggufConfig,
    header: ggufHeader,
  },
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

/** transformers knows this family by `rope_parameters` alone. */
function ggufConfig(header: ConfigFields, _: HeaderSizes, { rope_theta, rope_scaling }: ModelConfig): ModelConfig {
  const growth = {
    llama_4_scaling_beta: header.get("attention.temperature_scale") ?? 0,
    original_max_position_embeddings: header.get(ORIGINAL_LENGTH) ?? header.get("context_length"),
  };
  const scaling = isObject(rope_scaling) ? rope_scaling : { rope_type: "default" };
  return {
    rope_theta: undefined,
    rope_scaling: undefined,
    rope_parameters: { rope_theta, ...scaling, ...growth },
  };
}

function ggufHeader({ queryGrowth }: DecoderSpec): GgufHeader {
  if (queryGrowth === undefined) return {};
  return {
    "attention.temperature_scale": ["f32", queryGrowth.beta],
    [ORIGINAL_LENGTH]: ["u32", queryGrowth.original],
  };
}
