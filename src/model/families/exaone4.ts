// Exaone 4: norms behind attention and MLP, norms of queries and keys; where there are windows, full layers do not rotate.
import { CompError } from "../../errors.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { allFull, listedLayerTypes, listedOr } from "../config/layer-types.ts";
import { type DecoderSpec, POST_NORMS } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";
import { windowConfig, windowHeader } from "./gguf-windows.ts";
import { olmo2 } from "./olmo2.ts";

/** A window makes a model hybrid, even where no layer has it. */
const isHybrid = (fields: ConfigFields): boolean => fields.get("sliding_window") !== undefined;

const windows = listedOr("sliding_window_pattern", "sliding_attention");

/** Layers of the 32B model, the only one in which llama.cpp applies windows. */
const LAYERS_OF_32B = 64;

export const exaone4: Family = {
  ...LLAMA,
  modelType: "exaone4",
  architecture: "Exaone4ForCausalLM",
  module: "exaone4",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "exaone4",
    ropeDivisors: true,
    anyHeads: false,
    windows: true,
    fixedOrder: hasWindows,
    config: ggufConfig,
    header: ggufHeader,
  },
  defaults: {
    ...LLAMA_DEFAULTS,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 2048,
    num_key_value_heads: 32,
    sliding_window: 4096,
    sliding_window_pattern: 4,
  },
  layerTypes: (fields, count) =>
    isHybrid(fields) ? windows(fields, count) : (listedLayerTypes(fields, count) ?? allFull(fields, count)),
  rotates: (fields, types) => types.map((type) => !isHybrid(fields) || type === "sliding_attention"),
  traits: () => ({ norms: POST_NORMS, queryKeyNorm: "head" }),
  storage: olmo2.storage,
};

function hasWindows({ layers }: DecoderSpec): boolean {
  return layers.some((layer) => attentionOf(layer)?.slidingWindow !== undefined);
}

function ggufConfig(header: ConfigFields): ModelConfig {
  return header.get("attention.sliding_window") === undefined ? { sliding_window: null } : windowConfig(header, 4);
}

function ggufHeader(spec: DecoderSpec): GgufHeader {
  const isHeld = hasWindows(spec) === (spec.layers.length === LAYERS_OF_32B);
  if (isHeld) return hasWindows(spec) ? windowHeader(spec) : {};
  throw new CompError(
    "architecture",
    `llama.cpp gives an exaone4 attention windows exactly where it has ${LAYERS_OF_32B} layers, not ${spec.layers.length}`,
    { hint: "write a folder, or keep all layers" },
  );
}
