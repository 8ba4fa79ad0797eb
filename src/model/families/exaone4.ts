// Exaone 4: norms behind attention and MLP, norms of queries and keys; where there are windows, full layers do not rotate.
import type { ConfigFields } from "../config/config-fields.ts";
import { allFull, listedLayerTypes, listedOr } from "../config/layer-types.ts";
import { POST_NORMS } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { olmo2 } from "./olmo2.ts";

/** A window makes a model hybrid, even where no layer has it. */
const isHybrid = (fields: ConfigFields): boolean => fields.get("sliding_window") !== undefined;

const windows = listedOr("sliding_window_pattern", "sliding_attention");

export const exaone4: Family = {
  ...LLAMA,
  modelType: "exaone4",
  architecture: "Exaone4ForCausalLM",
  module: "exaone4",
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
