// Which layers attend to the whole context and which to a sliding window: every family states it in its own way.
import { CompError } from "../../errors.ts";
import { type ConfigFields, LIMITS } from "./config-fields.ts";

/** The names that `layer_types` of config.json uses. */
export type LayerType = "full_attention" | "sliding_attention";

/** The type of each of `count` layers. */
export type LayerTypesRule = (fields: ConfigFields, count: number) => LayerType[];

/** Llama: no windows. */
export const allFull: LayerTypesRule = (_, count) => new Array<LayerType>(count).fill("full_attention");

/** Mistral: a window in all layers once `sliding_window` is set. */
export const allSliding: LayerTypesRule = (fields, count) =>
  fields.get("sliding_window") === undefined
    ? allFull(fields, count)
    : new Array<LayerType>(count).fill("sliding_attention");

/** Qwen: only with `use_sliding_window`; without a list, windows from layer `max_window_layers` on. */
export const slidingAfterFirst: LayerTypesRule = (fields, count) => {
  if (!fields.flag("use_sliding_window") || fields.get("sliding_window") === undefined) return allFull(fields, count);
  const listed = listedLayerTypes(fields, count);
  if (listed !== undefined) return listed;
  const full = fields.get("max_window_layers") === 0 ? 0 : fields.size("max_window_layers", LIMITS.layers);
  return byLayer(count, (index) => index >= full);
};

/** Gemma: without a list, every `sliding_window_pattern`-th layer is full, the rest have windows. */
export const fullEveryNth: LayerTypesRule = (fields, count) => {
  const listed = listedLayerTypes(fields, count);
  if (listed !== undefined) return listed;
  const period = fields.size("sliding_window_pattern", LIMITS.layers);
  return byLayer(count, (index) => (index + 1) % period !== 0);
};

const byLayer = (count: number, sliding: (index: number) => boolean): LayerType[] =>
  Array.from({ length: count }, (_, index) => (sliding(index) ? "sliding_attention" : "full_attention"));

function listedLayerTypes(fields: ConfigFields, count: number): LayerType[] | undefined {
  const list = fields.get("layer_types");
  if (list === undefined) return undefined;
  if (!Array.isArray(list) || list.length !== count)
    throw new CompError("checkpoint", `${fields.source} does not list one of layer_types for each of ${count} layers`);
  const foreign = list.find((type) => type !== "full_attention" && type !== "sliding_attention");
  if (foreign !== undefined)
    throw new CompError("architecture", `${fields.source} has layers of type ${JSON.stringify(foreign)}`, {
      hint: "supported: full_attention, sliding_attention",
    });
  return list;
}
