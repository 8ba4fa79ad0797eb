// Coarse stage: how many whole layers go, and whether a sparsity can be reached at all, from the headers alone.
import { CompError } from "../errors.ts";
import type { LayerRule, Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { reachedSparsity, reaches, type Target, withWidth } from "./equal-widths.ts";
import { equalSpec, meanWidth, targetOf, uncutNeurons } from "./sizes.ts";
import { anyOrder, checkAttentionStays, keepRanked } from "./whole-layers.ts";

/** Whole layers go only when the neurons alone would fall below the first of these shares of the width; the second is for sparsities that the first cannot reach. */
const LEAST_WIDTH_SHARES = [0.4, 0.1];

/** How many layers go, and which where that is known before calibration. */
export interface LayerCut {
  readonly count: number;
  readonly removed: readonly LayerIndex[] | undefined;
}

/**
 * Settles the rule for whole layers at a sparsity.
 *
 * @throws {CompError} "option" for indices that do not exist, "budget" when all would go or the sparsity is out of reach
 */
export function planLayers(spec: DecoderSpec, method: Method, sparsity: number): LayerCut {
  const { layers } = method;
  if (layers.kind === "list") return listedCut(spec, layers.removed);
  const count = countLayers(spec, layers, method, sparsity);
  return { count, removed: count === 0 ? [] : undefined };
}

/** The layers that stay when it does not matter which: all have the same shape. */
export const anyLayers = (spec: DecoderSpec, { count, removed }: LayerCut): LayerIndex[] =>
  removed ? layerIndices(spec).filter((index) => !removed.includes(index)) : keepRanked(spec, anyOrder(spec), count);

function listedCut(spec: DecoderSpec, removed: readonly LayerIndex[]): LayerCut {
  const { layers } = spec;
  const missing = removed.find((index) => index >= layers.length);
  if (missing !== undefined)
    throw new CompError("option", `--layers names layer ${missing}; the model has layers 0 to ${layers.length - 1}`);
  const count = checkedCount(layers.length, removed.length);
  checkAttentionStays(spec, removed);
  return { count, removed };
}

function countLayers(
  spec: DecoderSpec,
  rule: Exclude<LayerRule, { kind: "list" }>,
  method: Method,
  sparsity: number,
): number {
  switch (rule.kind) {
    case "none":
      return 0;
    case "count":
      return checkedCount(spec.layers.length, rule.count);
    case "half":
      return mostOfHalf(spec, targetOf(method, sparsity));
    case "only":
      return fewestAlone(spec, targetOf(method, sparsity));
    case "fewest":
    case "search":
      return fewestLayers(spec, method, sparsity);
  }
}

function checkedCount(total: number, count: number): number {
  if (count < total) return count;
  throw new CompError("budget", `--layers removes ${count} layers of ${total}; at least one has to stay`);
}

const withoutAny = (spec: DecoderSpec, count: number): DecoderSpec => ({
  ...spec,
  layers: keepRanked(spec, anyOrder(spec), count).map((index) => spec.layers[index]!),
});

/** The most layers that take no more than half of what is to go. */
const mostOfHalf = (spec: DecoderSpec, { sparsity, of }: Target): number =>
  layerIndices(spec).findLast((count) => reachedSparsity(spec, withoutAny(spec, count), of) <= sparsity / 2)!;

/** @throws {CompError} "budget" when whole layers alone do not suffice */
function fewestAlone(spec: DecoderSpec, target: Target): number {
  const count = layerIndices(spec).find((candidate) => reaches(spec, withoutAny(spec, candidate), target));
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
function fewestLayers(spec: DecoderSpec, method: Method, sparsity: number): number {
  const target = targetOf(method, sparsity);
  const cut = uncutNeurons(spec, method, sparsity);
  const indices = layerIndices(spec);
  const floor = (count: number, share: number): DecoderSpec =>
    withWidth(cut, keepRanked(spec, anyOrder(spec), count), Math.ceil(share * meanWidth(spec)));
  for (const share of LEAST_WIDTH_SHARES) {
    const count = indices.find((candidate) => reaches(spec, floor(candidate, share), target));
    if (count !== undefined) return count;
  }
  const share = LEAST_WIDTH_SHARES.at(-1)!;
  const most = reachedSparsity(spec, floor(indices.length - 1, share), target.of).toFixed(3);
  const left = `with one layer left, which keeps ${100 * share} % of its neurons`;
  throw new CompError("budget", `a sparsity of ${target.sparsity} cannot be reached; ${most} is the most, ${left}`, {
    hint: "ask for less",
  });
}

/** The largest sparsity up to `most` that a plan can reach, in steps of a hundredth. */
export function mostReachable(spec: DecoderSpec, method: Method, most: number): number {
  for (let sparsity = most; sparsity > 0; sparsity -= 0.01)
    if (whyOutOfReach(spec, method, sparsity) === undefined) return sparsity;
  return 0;
}

/** What stands against a sparsity; undefined when nothing does. */
export function whyOutOfReach(spec: DecoderSpec, method: Method, sparsity: number): string | undefined {
  try {
    equalSpec(spec, anyLayers(spec, planLayers(spec, method, sparsity)), method, sparsity);
    return undefined;
  } catch (error) {
    if (error instanceof CompError && error.kind === "budget") return error.message;
    throw error;
  }
}
