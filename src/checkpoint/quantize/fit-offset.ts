// Scale and offset of a group by weighted least squares, where its values are scale · level − offset: the searches of ggml-quants.c
// (make_qkx2_quants, make_qkx3_quants), which try the same scales in the same order.
import type { Group } from "./group.ts";
import { f32, nearestLevel } from "./rounding.ts";

/** Which inverse scales a search tries: (`first` + `step`·i + the last level) / range, i from 0 to `steps`. */
export interface OffsetSearch {
  readonly first: number;
  readonly step: number;
  readonly steps: number;
  /** Errors count by their magnitude, not by their square. */
  readonly absolute: boolean;
}

/** The one that takes importance into account. */
export const WEIGHTED_OFFSET: OffsetSearch = { first: -0.9, step: 0.05, steps: 36, absolute: false };

/**
 * The scale of a group whose values are scale · level − offset, levels from 0 to `most`, offset at least 0: the best of those
 * tried, each fitted together with its offset to the levels that it gives. Levels and offset are left in the group.
 */
export function fitScaleAndOffset(group: Group, most: number, search: OffsetSearch): number {
  const { first, step, steps, absolute } = search;
  const high = group.highest();
  let low = Math.min(0, group.lowest());
  group.offset = -low;
  if (high <= low) {
    group.levels.fill(0);
    return 0;
  }
  const weight = group.totalWeight();
  const weighted = group.weightedSum();
  const inverse = f32(most / f32(high - low));
  shift(group, low);
  tryLevels(group, inverse, most);
  copyTrial(group);
  let scale = f32(1 / inverse);
  let best = errorOf(group, scale, low, absolute, Number.POSITIVE_INFINITY);
  for (let i = 0; i <= steps; i++) {
    const numerator = f32(f32(f32(first) + f32(f32(step) * i)) + most);
    const changed = tryLevels(group, f32(numerator / f32(high - low)), most);
    if ((!changed && i > 0) || !fitToTrial(group, weight, weighted)) continue;
    const error = errorOf(group, fit.scale, fit.low, absolute, best);
    if (!(error < best)) continue;
    copyTrial(group);
    shift(group, fit.low);
    best = error;
    scale = fit.scale;
    low = fit.low;
  }
  group.offset = -low;
  return scale;
}

function shift({ size, values, shifted }: Group, low: number): void {
  for (let i = 0; i < size; i++) shifted[i] = f32(values[i]! - low);
}

function copyTrial({ size, levels, trial }: Group): void {
  for (let i = 0; i < size; i++) levels[i] = trial[i]!;
}

/** Puts the nearest levels of the shifted values · inverse on trial; false where they have been already, as every other time. */
function tryLevels({ size, shifted, trial }: Group, inverse: number, most: number): boolean {
  let changed = false;
  for (let i = 0; i < size; i++) {
    const level = nearestLevel(f32(inverse * shifted[i]!), 0, most);
    if (level === trial[i]) continue;
    trial[i] = level;
    changed = true;
  }
  return changed;
}

/** What `fitToTrial` found: kept here because a result of its own would be an allocation for every scale that is tried. */
const fit = { scale: 0, low: 0 };

/**
 * Fits scale · level + low to the levels on trial, low at most 0, given the sum of the weights and that of the weighted values;
 * false where the levels do not determine both.
 */
function fitToTrial({ size, values, weights, trial }: Group, weight: number, weighted: number): boolean {
  let sumL = 0;
  let sumLL = 0;
  let sumXL = 0;
  for (let i = 0; i < size; i++) {
    const level = trial[i]!;
    const weightedLevel = f32(weights[i]! * level);
    sumL = f32(sumL + weightedLevel);
    sumLL = f32(sumLL + f32(weightedLevel * level));
    sumXL = f32(sumXL + f32(weightedLevel * values[i]!));
  }
  const determinant = f32(f32(weight * sumLL) - f32(sumL * sumL));
  if (!(determinant > 0)) return false;
  fit.scale = f32(f32(f32(weight * sumXL) - f32(weighted * sumL)) / determinant);
  fit.low = f32(f32(f32(sumLL * weighted) - f32(sumL * sumXL)) / determinant);
  if (fit.low <= 0) return true;
  fit.low = 0;
  fit.scale = f32(sumXL / sumLL);
  return true;
}

/** The weighted error of scale · level + low with the levels on trial; as soon as it reaches `limit`, a part of it that does. */
function errorOf(
  { size, values, weights, trial }: Group,
  scale: number,
  low: number,
  absolute: boolean,
  limit: number,
): number {
  let error = 0;
  for (let i = 0; i < size && error < limit; i++) {
    const difference = f32(f32(f32(scale * trial[i]!) + low) - values[i]!);
    const cost = absolute ? Math.abs(difference) : f32(difference * difference);
    error = f32(error + f32(weights[i]! * cost));
  }
  return error;
}
