// Which layers attend to the whole context, which to a sliding window, and which have another mixer: every family states it in
// its own way.
import { CompError, describeValue } from "../../errors.ts";
import type { ConfigFields } from "./config-fields.ts";
import { LIMITS } from "./limits.ts";

/** The types of layers whose mixer is an attention, as `layer_types` of config.json calls them. */
const ATTENTION_TYPES: readonly string[] = ["full_attention", "sliding_attention"];

/** The type of each of `count` layers. */
export type LayerTypesRule = (fields: ConfigFields, count: number) => string[];

/** Llama: no windows. */
export const allFull: LayerTypesRule = (_, count) => new Array<string>(count).fill("full_attention");

/** Mistral: a window in all layers once `sliding_window` is set. */
export const allSliding: LayerTypesRule = (fields, count) =>
  fields.get("sliding_window") === undefined
    ? allFull(fields, count)
    : new Array<string>(count).fill("sliding_attention");

/** Qwen: only with `use_sliding_window`; without a list, windows from layer `max_window_layers` on. */
export const slidingAfterFirst: LayerTypesRule = (fields, count) => {
  if (!fields.flag("use_sliding_window") || fields.get("sliding_window") === undefined) return allFull(fields, count);
  const listed = listedLayerTypes(fields, count);
  if (listed !== undefined) return listed;
  const full = fields.get("max_window_layers") === 0 ? 0 : fields.size("max_window_layers", LIMITS.layers);
  return byLayer(count, (index) => index >= full);
};

/** Gemma 2, OLMo 3: without a list, every `period`-th layer is full, the rest have windows. */
export const fullEvery =
  (period: number): LayerTypesRule =>
  (fields, count) =>
    listedLayerTypes(fields, count) ?? byLayer(count, (index) => (index + 1) % period !== 0);

/** Gemma 3: the same by `sliding_window_pattern`. */
export const fullEveryNth: LayerTypesRule = (fields, count) =>
  listedLayerTypes(fields, count) ?? fullEvery(fields.size("sliding_window_pattern", LIMITS.layers))(fields, count);

const byLayer = (count: number, sliding: (index: number) => boolean): string[] =>
  Array.from({ length: count }, (_, index) => (sliding(index) ? "sliding_attention" : "full_attention"));

/** Exaone, Qwen 3.5 and others: a list, or every `period`-th layer is full. `others` names the rest. */
export const listedOr =
  (period: string, others: string): LayerTypesRule =>
  (fields, count) => {
    const listed = listedLayerTypes(fields, count, [others]);
    if (listed !== undefined) return listed;
    const every = fields.size(period, LIMITS.layers);
    return Array.from({ length: count }, (_, index) => ((index + 1) % every === 0 ? "full_attention" : others));
  };

/** `layer_types`, where it is given. @throws {CompError} "checkpoint" or "architecture" for what it may not say. */
export function listedLayerTypes(
  fields: ConfigFields,
  count: number,
  more: readonly string[] = [],
): string[] | undefined {
  const list = fields.get("layer_types");
  if (list === undefined) return undefined;
  if (!Array.isArray(list) || list.length !== count)
    throw new CompError("checkpoint", `${fields.source} does not list one of layer_types for each of ${count} layers`);
  const known = [...new Set([...ATTENTION_TYPES, ...more])];
  const foreign = list.find((type) => !known.includes(type));
  if (foreign !== undefined)
    throw new CompError("architecture", `${fields.source} has layers of type ${describeValue(foreign)}`, {
      hint: `supported: ${known.join(", ")}`,
    });
  return list;
}
