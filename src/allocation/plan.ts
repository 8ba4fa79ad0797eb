// What will be cut, from the headers alone, as a person reads it.
import type { PrunePlan } from "../events/prune.ts";
import type { Method } from "../method/method.ts";
import type { OutputFormat } from "../method/output-format.ts";
import { type PrunedModel, weightBytes } from "../method/output-types.ts";
import type { Model } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { reachedSparsity } from "./equal-widths.ts";
import { anyLayers, planLayers } from "./layer-count.ts";
import { equalSpec, meanSize, meanWidth } from "./sizes.ts";

/** What the sizes tell. */
export type CutPlan = Omit<PrunePlan, "expectedPeakBytes">;

/**
 * The plan as a person reads it.
 *
 * @throws {CompError} "budget" when the sparsity is out of reach, "option" for choices that exclude each other
 */
export function planPrune(model: Model, method: Method, sparsity: number, format: OutputFormat): CutPlan {
  const { spec } = model;
  const cut = planLayers(spec, method, sparsity);
  const kept = anyLayers(spec, cut);
  const after = equalSpec(spec, kept, method.widths === "per-layer" ? { ...method, multipleOf: 1 } : method, sparsity);
  return {
    ...cutFigures(model, { spec: after, keptLayers: kept }, format),
    model: model.checkpoint.name,
    family: spec.family,
    layers: { before: spec.layers.length, after: kept.length },
    layersRemoved: cut.removed ?? [],
    searchesSplit: method.layers.kind === "search",
    widths: method.widths,
  };
}

export type FigureName =
  | "parameters"
  | "decoderParameters"
  | "bytes"
  | "intermediateSize"
  | "numAttentionHeads"
  | "numKeyValueHeads"
  | "sparsity";

/** Sizes of a model and of what it becomes. */
export function cutFigures(model: Model, pruned: PrunedModel, format: OutputFormat): Pick<PrunePlan, FigureName> {
  const { spec } = model;
  const { spec: after } = pruned;
  const [old, now] = [countParameters(spec), countParameters(after)];
  const means = (size: "numAttentionHeads" | "numKeyValueHeads"): PrunePlan["numAttentionHeads"] => ({
    before: meanSize(spec, size),
    after: meanSize(after, size),
  });
  return {
    parameters: { before: old.total, after: now.total },
    decoderParameters: { before: old.decoderMatrices, after: now.decoderMatrices },
    bytes: { before: sourceBytes(model), after: weightBytes(model, pruned, format) },
    intermediateSize: { before: meanWidth(spec), after: meanWidth(after) },
    numAttentionHeads: means("numAttentionHeads"),
    numKeyValueHeads: means("numKeyValueHeads"),
    sparsity: { all: reachedSparsity(spec, after, "all"), decoder: reachedSparsity(spec, after, "decoder") },
  };
}

const sourceBytes = (model: Model): number =>
  [...model.tensors.values()].reduce((total, tensor) => total + tensor.byteLength, 0);
