// SmolLM3: a Llama that does not rotate in every fourth layer.
import { CompError } from "../../errors.ts";
import type { ConfigFields } from "../config/config-fields.ts";
import { listedLayerTypes } from "../config/layer-types.ts";
import { LIMITS } from "../config/limits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";

export const smollm3: Family = {
  ...LLAMA,
  modelType: "smollm3",
  architecture: "SmolLM3ForCausalLM",
  module: "smollm3",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "smollm3",
    interleavedRotary: true,
    fixedOrder: () => true,
    header: ggufHeader,
  },
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
  layerTypes: (fields, count) => listedLayerTypes(fields, count) ?? windowsWithoutRotation(fields, count),
  rotates: (fields, types) => rotatedLayers(fields, types.length),
  prunedFields: (_, layers) => ({
    no_rope_layers: layers.map((layer) => (attentionOf(layer)?.rope === undefined ? 0 : 1)),
    layer_types: layers.map(({ type }) => type),
  }),
};

/** Without a list, only layers that do not rotate have windows. */
function windowsWithoutRotation(fields: ConfigFields, count: number): string[] {
  const hasWindows = fields.flag("use_sliding_window") && fields.get("sliding_window") !== undefined;
  const slides = (rotates: boolean): boolean => hasWindows && !rotates;
  return rotatedLayers(fields, count).map((rotates) => (slides(rotates) ? "sliding_attention" : "full_attention"));
}

/** `no_rope_layers` has a 1 where a layer rotates; without it all do but every `no_rope_layer_interval`-th. */
function rotatedLayers(fields: ConfigFields, count: number): boolean[] {
  const list = fields.get("no_rope_layers");
  if (list === undefined) {
    const interval = fields.size("no_rope_layer_interval", LIMITS.layers);
    return Array.from({ length: count }, (_, index) => (index + 1) % interval !== 0);
  }
  // it may be longer than the model
  if (Array.isArray(list) && list.length >= count) return list.slice(0, count).map(Boolean);
  throw new CompError("checkpoint", `${fields.source} has no_rope_layers that do not tell it of ${count} layers`);
}

/** llama.cpp leaves every fourth layer without rotation, and no other. */
function ggufHeader({ layers }: DecoderSpec): GgufHeader {
  const rotates = layers.map((layer) => attentionOf(layer)?.rope !== undefined);
  if (rotates.every((one, index) => one === ((index + 1) % 4 !== 0))) return {};
  throw new CompError("architecture", "GGUF has no form for a smollm3 but with every fourth layer unrotated", {
    hint: "write a folder, or keep all layers",
  });
}
