// SmolLM3: a Llama that does not rotate in every fourth layer.
import { type ConfigFields, LIMITS } from "../config/config-fields.ts";
import { listedLayerTypes } from "../config/layer-types.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";

export const smollm3: Family = {
  ...LLAMA,
  modelType: "smollm3",
  architecture: "SmolLM3ForCausalLM",
  module: "smollm3",
  defaults: {
    ...LLAMA_DEFAULTS,
    rope_theta: 2_000_000,
    tie_word_embeddings: true,
    max_position_embeddings: 32_768,
    num_key_value_heads: 4,
    no_rope_layer_interval: 4,
    use_sliding_window: false,
    attention_bias: false,
    mlp_bias: false,
  },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: "mlp_bias" },
  layerTypes: windowsWithoutRotation,
  rotates: (fields, types) => rotatedLayers(fields, types.length),
  prunedFields: (_, layers) => ({
    no_rope_layers: layers.map((layer) => (attentionOf(layer)?.rope === undefined ? 0 : 1)),
  }),
};

/** A list, or all but every `no_rope_layer_interval`-th. */
function rotatedLayers(fields: ConfigFields, count: number): boolean[] {
  const listed = fields.get("no_rope_layers");
  if (Array.isArray(listed) && listed.length === count) return listed.map(Boolean);
  const interval = fields.size("no_rope_layer_interval", LIMITS.layers);
  return Array.from({ length: count }, (_, index) => (index + 1) % interval !== 0);
}

function windowsWithoutRotation(fields: ConfigFields, count: number): string[] {
  const hasWindows = fields.flag("use_sliding_window") && fields.get("sliding_window") !== undefined;
  const types = listedLayerTypes(fields, count) ?? rotatedLayers(fields, count).map((rotates) => windowed(!rotates));
  return types.map((type) => windowed(hasWindows && type === "sliding_attention"));
}

const windowed = (slides: boolean): string => (slides ? "sliding_attention" : "full_attention");
