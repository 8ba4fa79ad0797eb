// Attention windows as GGUF headers state them.
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { LIMITS } from "../config/limits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import type { GgufHeader } from "./gguf-traits.ts";

/** Tokens that a query attends to where there are windows, and which layers have one. */
const WINDOW = "attention.sliding_window";
const PATTERN = "attention.sliding_window_pattern";

/** The keys for the windows of a model; a model without any says so layer by layer. */
export function windowHeader({ layers, maxPositionEmbeddings }: DecoderSpec): GgufHeader {
  const attentions = layers.map(attentionOf);
  const windows = attentions.map((attention) => attention?.slidingWindow);
  const sliding = attentions.find((attention) => attention?.slidingWindow !== undefined);
  return {
    [WINDOW]: ["u32", sliding?.slidingWindow ?? maxPositionEmbeddings],
    [PATTERN]: ["bool", windows.map((window) => window !== undefined)],
    ...(sliding?.rope === undefined ? {} : { "rope.freq_base_swa": ["f32", sliding.rope.theta] }),
  };
}

/** The fields of config.json. @param period of the full layers, where the header gives none */
export function windowConfig(header: ConfigFields, period: number): ModelConfig {
  const pattern = header.get(PATTERN);
  return {
    sliding_window: header.size(WINDOW, LIMITS.positions),
    ...(Array.isArray(pattern)
      ? { layer_types: pattern.map((sliding) => (sliding ? "sliding_attention" : "full_attention")) }
      : { sliding_window_pattern: pattern ?? period }),
  };
}
