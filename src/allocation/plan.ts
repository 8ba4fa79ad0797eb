// What will be cut, from the headers alone.
import { CompError } from "../errors.ts";
import type { PrunePlan } from "../events/prune.ts";
import { type OutputForm, weightBytes } from "../method/output-format.ts";
import type { LayerSizes } from "../model/config/layer-sizes.ts";
import { withDownBias } from "../model/config/mlp-bias.ts";
import type { Model } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { PruneOptions } from "../options/prune.ts";
import { sizesByCost } from "./by-cost.ts";
import { type LayerCosts, stepsOf } from "./curves.ts";
import { withoutHeads } from "./heads.ts";
import {
  equalWidths,
  isSpared,
  PREFERRED_MULTIPLE,
  parametersOf,
  ROUNDING,
  reachedSparsity,
  reaches,
  type Target,
  uniformWidth,
  withWidth,
} from "./uniform.ts";

/** "auto" removes whole layers only when the neurons alone would fall below the first of these shares of the width; the second is for sparsities that the first cannot reach. */
const LEAST_WIDTH_SHARES = [0.4, 0.1];

/** How many layers go, and which when that is known before calibration. */
export interface LayerCut {
  readonly count: number;
  readonly removed: readonly number[] | undefined;
}

/** Settles the option `layers`. @throws {CompError} "option" for indices that do not exist, "budget" when all would go */
export function planLayers(spec: DecoderSpec, options: PruneOptions): LayerCut {
  const total = spec.layers.length;
  const { layers } = options;
  if (typeof layers === "string") return { count: countLayers(spec, layers, options), removed: undefined };
  if (typeof layers === "number") return checkedCut(total, { count: layers, removed: undefined });
  const removed = [...new Set(layers)].sort((a, b) => a - b);
  const missing = removed.find((index) => index >= total);
  if (missing !== undefined)
    throw new CompError("option", `--layers names layer ${missing}; the model has layers 0 to ${total - 1}`);
  return checkedCut(total, { count: removed.length, removed });
}

function checkedCut(total: number, cut: LayerCut): LayerCut {
  if (cut.count < total) return cut;
  throw new CompError("budget", `--layers removes ${cut.count} layers of ${total}; at least one has to stay`);
}

/** How many layers go by a rule. @throws {CompError} "budget" when whole layers alone do not suffice */
function countLayers(spec: DecoderSpec, rule: "auto" | "half" | "only", options: PruneOptions): number {
  if (rule === "auto") return fewestLayers(spec, options);
  const target = targetOf(options);
  const counts = [...spec.layers.keys()];
  const without = (count: number): DecoderSpec => ({ ...spec, layers: spec.layers.slice(count) });
  if (rule === "half")
    return counts.findLast((count) => reachedSparsity(spec, without(count), target.of) <= target.sparsity / 2)!;
  const count = counts.find((candidate) => reaches(spec, without(candidate), target));
  if (count !== undefined) return count;
  throw new CompError("budget", `a sparsity of ${target.sparsity} cannot be reached by removing whole layers alone`, {
    hint: "ask for less",
  });
}

/**
 * The fewest removed layers that leave the others a width worth having.
 *
 * @throws {CompError} "budget" when not even one layer of the least width is small enough
 */
function fewestLayers(spec: DecoderSpec, options: PruneOptions): number {
  const target = targetOf(options);
  const cut = uncutNeurons(spec, options);
  const counts = [...spec.layers.keys()];
  const floor = (count: number, share: number): DecoderSpec =>
    withWidth(cut, counts.slice(count), Math.ceil(share * meanWidth(spec)));
  for (const share of LEAST_WIDTH_SHARES) {
    const count = counts.find((candidate) => reaches(spec, floor(candidate, share), target));
    if (count !== undefined) return count;
  }
  const share = LEAST_WIDTH_SHARES.at(-1)!;
  const most = reachedSparsity(spec, floor(counts.length - 1, share), target.of).toFixed(3);
  const left = `with one layer left, which keeps ${100 * share} % of its neurons`;
  throw new CompError("budget", `a sparsity of ${target.sparsity} cannot be reached; ${most} is the most, ${left}`, {
    hint: "ask for less",
  });
}

export const targetOf = ({ sparsity, sparsityOf, multipleOf, spare }: PruneOptions): Target => ({
  sparsity,
  of: sparsityOf,
  multipleOf,
  spare,
});

/**
 * The pruned model with the same width and the same number of heads in all kept layers, as far as they have them.
 *
 * @param shown the layers to describe, where others than the kept ones
 */
export function equalSpec(
  spec: DecoderSpec,
  keptLayers: readonly number[],
  options: PruneOptions,
  shown: readonly number[] = keptLayers,
): DecoderSpec {
  const cut = uncutNeurons(spec, options);
  const width = uniformWidth(cut, keptLayers, { ...targetOf(options), source: spec });
  return withWidth(cut, shown, equalWidths(cut, shown, width, options.spare));
}

/** The largest sparsity up to that of the options which a plan can reach, in steps of a hundredth. */
export function mostReachable(spec: DecoderSpec, options: PruneOptions): number {
  for (let sparsity = options.sparsity; sparsity > 0; sparsity -= 0.01)
    if (whyOutOfReach(spec, { ...options, sparsity }) === undefined) return sparsity;
  return 0;
}

/** What stands against a sparsity; undefined when nothing does. */
export function whyOutOfReach(spec: DecoderSpec, options: PruneOptions): string | undefined {
  try {
    equalSpec(spec, anyLayers(spec, planLayers(spec, options)), options);
    return undefined;
  } catch (error) {
    if (error instanceof CompError && error.kind === "budget") return error.message;
    throw error;
  }
}

/** The layers that stay when it does not matter which: all have the same shape. */
export function anyLayers(spec: DecoderSpec, { count, removed }: LayerCut): number[] {
  return [...spec.layers.keys()].filter((index) => (removed ? !removed.includes(index) : index >= count));
}

/** What the sizes tell. */
export type CutPlan = Omit<PrunePlan, "searchesSplit" | "expectedPeakBytes" | "expectedSeconds">;

/**
 * The plan as a person reads it.
 *
 * @throws {CompError} "budget" when the sparsity is out of reach, "option" for choices that exclude each other
 */
export function planPrune(model: Model, options: PruneOptions, form: OutputForm): CutPlan {
  const { spec } = model;
  const cut = planLayers(spec, options);
  const kept = anyLayers(spec, cut);
  const after = equalSpec(spec, kept, options.widths === "per-layer" ? { ...options, multipleOf: 1 } : options);
  return {
    ...cutFigures(model, after, form),
    model: model.checkpoint.name,
    family: spec.family,
    layers: { before: spec.layers.length, after: kept.length },
    layersRemoved: cut.removed ?? [],
    widths: options.widths,
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
export function cutFigures(model: Model, after: DecoderSpec, form: OutputForm): Pick<PrunePlan, FigureName> {
  const { spec } = model;
  const [old, now] = [countParameters(spec), countParameters(after)];
  return {
    parameters: { before: old.total, after: now.total },
    decoderParameters: { before: old.decoderMatrices, after: now.decoderMatrices },
    bytes: { before: sourceBytes(model), after: weightBytes(after, form) },
    intermediateSize: { before: meanWidth(spec), after: meanWidth(after) },
    numAttentionHeads: { before: mean(spec, "numAttentionHeads"), after: mean(after, "numAttentionHeads") },
    numKeyValueHeads: { before: mean(spec, "numKeyValueHeads"), after: mean(after, "numKeyValueHeads") },
    sparsity: { all: reachedSparsity(spec, after, "all"), decoder: reachedSparsity(spec, after, "decoder") },
  };
}

const meanWidth = (spec: DecoderSpec): number => Math.round(mean(spec, "intermediateSize"));

const mean = ({ layers }: DecoderSpec, size: keyof LayerSizes): number =>
  layers.reduce((sum, layer) => sum + layer[size], 0) / layers.length;

/** The pruned model but for its neurons: without the heads that go by number, with a bias where the recovery adds one. */
function uncutNeurons(spec: DecoderSpec, options: PruneOptions): DecoderSpec {
  const cut = withoutHeads(spec, options);
  if (options.recovery !== "bias" || options.sparsity === 0) return cut;
  return { ...cut, bias: withDownBias(spec, options.widths === "per-layer") ?? spec.bias };
}

/**
 * The pruned model with each kept layer at its own sizes: as many parameters go as are asked for, where they cost least.
 *
 * @param costs of each layer of the source
 */
export function perLayerSpec(
  spec: DecoderSpec,
  keptLayers: readonly number[],
  costs: readonly LayerCosts[],
  options: PruneOptions,
): DecoderSpec {
  const { sparsity, of, spare } = targetOf(options);
  const cut = uncutNeurons(spec, options);
  const layers = keptLayers.map((index) => cut.layers[index]!);
  const size = { neurons: options.multipleOf ?? PREFERRED_MULTIPLE, of };
  const curves = keptLayers.flatMap((index, layer) =>
    isSpared(layer, layers.length, spare)
      ? []
      : stepsOf(cut, index, costs[index]!, size).map((steps) => ({ layer, steps })),
  );
  const missing = sparsity - ROUNDING - reachedSparsity(spec, { ...cut, layers }, of);
  const own = sizesByCost(curves, layers, Math.ceil(missing * parametersOf(spec, of)));
  return { ...cut, layers: layers.map((layer, position) => ({ ...layer, ...own[position]! })) };
}

const sourceBytes = (model: Model): number =>
  [...model.tensors.values()].reduce((total, tensor) => total + tensor.byteLength, 0);
