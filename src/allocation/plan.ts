// What will be cut, from the headers alone, as a person reads it.
import type { PrunePlan } from "../events/prune.ts";
import type { Method } from "../method/method.ts";
import type { OutputFormat } from "../method/output-format.ts";
import { type PrunedModel, weightBytes } from "../method/output-types.ts";
import type { Model } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { mixtureOf, resized, sizesOf } from "../model/spec/parts.ts";
import { reachedSparsity, stepOf } from "./equal-widths.ts";
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
  const isEqual = method.widths === "equal";
  const after = equalSpec(spec, kept, isEqual ? method : { ...method, multipleOf: 1 }, sparsity);
  const figures = cutFigures(model, { spec: after, keptLayers: kept }, format);
  const stepped = { spec: isEqual ? after : inSteps(after, method), keptLayers: kept };
  return {
    ...figures,
    bytes: { ...figures.bytes, after: weightBytes(model, stepped, format) },
    model: model.checkpoint.name,
    family: spec.family,
    layers: { before: spec.layers.length, after: kept.length },
    layersRemoved: cut.removed ?? [],
    searchesSplit: method.layers.kind === "search",
    ...(method.experts.kind === "search" && { searchesExperts: true }),
    widths: method.widths,
  };
}

/** About as many neurons, but each layer at a width that widths of its own may come to: only then do rows fill their blocks. */
function inSteps(spec: DecoderSpec, { multipleOf, blockSize }: Method): DecoderSpec {
  let missing = 0;
  const layers = spec.layers.map((layer) => {
    const { intermediateSize: wanted } = sizesOf(layer);
    const step = stepOf(wanted, { multipleOf, blockSize });
    missing += wanted;
    const width = wanted === 0 ? 0 : Math.max(0, Math.round(missing / step) * step);
    missing -= width;
    return resized(layer, { intermediateSize: width });
  });
  return { ...spec, layers };
}

export type FigureName =
  | "parameters"
  | "decoderParameters"
  | "bytes"
  | "intermediateSize"
  | "numAttentionHeads"
  | "numKeyValueHeads"
  | "numExperts"
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
    ...expertCounts(spec, after),
    sparsity: { all: reachedSparsity(spec, after, "all"), decoder: reachedSparsity(spec, after, "decoder") },
  };
}

function expertCounts(before: DecoderSpec, after: DecoderSpec): Pick<PrunePlan, "numExperts"> {
  const count = ({ layers }: DecoderSpec): number =>
    Math.max(0, ...layers.map((layer) => mixtureOf(layer)?.numExperts ?? 0));
  return count(before) === 0 ? {} : { numExperts: { before: count(before), after: count(after) } };
}

const sourceBytes = (model: Model): number =>
  [...model.tensors.values()].reduce((total, tensor) => total + tensor.byteLength, 0);
