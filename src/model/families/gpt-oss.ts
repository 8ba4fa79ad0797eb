// gpt-oss: experts with biases and a clamped gate, a router with a bias, attention sinks, and a window in every other layer.
import { CompError } from "../../errors.ts";
import { type ConfigFields, isObject, type ModelConfig } from "../config/config-fields.ts";
import { listedLayerTypes } from "../config/layer-types.ts";
import { LIMITS } from "../config/limits.ts";
import { SOFTMAX } from "../config/mixture.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { CHOSEN_SOFTMAX, type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";
import { windowConfig, windowHeader } from "./gguf-windows.ts";

/** Of the gate of every published model. */
const ALPHA = 1.702;
const LIMIT = 7;

export const gptOss: Family = {
  ...LLAMA,
  modelType: "gpt_oss",
  architecture: "GptOssForCausalLM",
  module: "gpt_oss",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "gpt-oss",
    modules: { mlpNorm: "post_attention_norm" },
    bias: { o: "always", mlp: "never" },
    experts: CHOSEN_SOFTMAX,
    roundsRamp: true,
    windows: true,
    config: (header, _, rotary) => ({ ...windowConfig(header, 2), ...unroundedRamp(rotary) }),
    header: ggufHeader,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    rope_theta: 150_000,
    max_position_embeddings: 131_072,
    head_dim: 64,
    num_key_value_heads: 8,
    sliding_window: 128,
    attention_bias: true,
    num_local_experts: 128,
    num_experts_per_tok: 4,
    swiglu_alpha: ALPHA,
    swiglu_limit: LIMIT,
  },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: false },
  layerTypes: everyOther,
  mixture: {
    counts: ["num_local_experts"],
    width: "intermediate_size",
    routing: () => ({ ...SOFTMAX, bias: true, expertBias: true }),
  },
  traits: (fields) => ({
    attentionSinks: true,
    clampedGate: { alpha: fields.positive("swiglu_alpha"), limit: fields.positive("swiglu_limit") },
  }),
  storage: {
    ...LLAMA.storage,
    modules: {
      router: "mlp.router",
      expertGate: "mlp.experts.gate_up_proj",
      expertUp: "mlp.experts.gate_up_proj",
      expertDown: "mlp.experts.down_proj",
    },
    alternating: ["mlp.experts.gate_up_proj"],
    parameters: ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
    transposedExperts: true,
  },
};

const unroundedRamp = ({ rope_scaling: scaling }: ModelConfig): ModelConfig =>
  isObject(scaling) ? { rope_scaling: { ...scaling, truncate: false } } : {};

/** @throws {CompError} "architecture" for another gate than the one that llama.cpp has */
function ggufHeader(spec: DecoderSpec): GgufHeader {
  if (spec.clampedGate?.alpha === ALPHA && spec.clampedGate.limit === LIMIT) return windowHeader(spec);
  throw new CompError("architecture", `llama.cpp's gpt-oss has a gate of alpha ${ALPHA} and limit ${LIMIT} only`, {
    hint: "write a folder",
  });
}

/** Without a list the first layer has a window, the second none, and so on. */
function everyOther(fields: ConfigFields, count: number): string[] {
  fields.size("sliding_window", LIMITS.positions);
  return (
    listedLayerTypes(fields, count) ??
    Array.from({ length: count }, (_, index) => (index % 2 === 0 ? "sliding_attention" : "full_attention"))
  );
}
