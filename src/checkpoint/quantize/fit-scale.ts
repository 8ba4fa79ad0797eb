// The scale of a group by weighted least squares, where its values are scale · level: the searches of ggml-quants.c
// (make_qx_quants, make_q3_quants, make_qp_quants), which try the same scales in the same order.
import type { Group } from "./group.ts";
import { f32, nearestInteger, nearestLevel } from "./rounding.ts";

const TENTH = f32(0.1);
/** Rounds in which levels are changed one by one. */
const EXCHANGE_ROUNDS = 5;

/**
 * The scale of a group whose values are scale · (level − `most`), levels from 0 to 2·`most` − 1: the best of 19, each fitted to
 * the levels that it gives. The levels are left in the group.
 */
export function fitScale(group: Group, most: number): number {
  const { size, levels, trial } = group;
  const largest = group.largest();
  if (largest === 0) {
    levels.fill(0);
    return 0;
  }
  let scale = 0;
  let best = 0;
  for (let i = 0; i < 19; i++) {
    // 0, then −9 to −1 and 1 to 9
    const shift = i === 0 ? 0 : i < 10 ? i - 10 : i - 9;
    const changed = tryLevels(group, f32(-f32(most + f32(TENTH * shift)) / largest), most);
    if (!changed && i > 0) continue;
    sumUp(group);
    if (i > 0 && !(sums.ll > 0 && f32(sums.xl * sums.xl) > f32(best * sums.ll))) continue;
    scale = sums.ll > 0 ? f32(sums.xl / sums.ll) : 0;
    best = f32(scale * sums.xl);
    for (let j = 0; j < size; j++) levels[j] = most + trial[j]!;
  }
  return scale;
}

/** Puts the nearest levels of x · inverse on trial; false where they have been already, as more often than not. */
function tryLevels({ size, values, trial }: Group, inverse: number, most: number): boolean {
  let changed = false;
  for (let i = 0; i < size; i++) {
    const level = nearestLevel(f32(inverse * values[i]!), -most, most - 1);
    if (level === trial[i]) continue;
    trial[i] = level;
    changed = true;
  }
  return changed;
}

/** Σ weight · x · level and Σ weight · level²: kept here because a result of its own would be an allocation for every scale. */
const sums = { xl: 0, ll: 0 };

function sumUp({ size, values, weights, trial }: Group): void {
  let xl = 0;
  let ll = 0;
  for (let i = 0; i < size; i++) {
    const level = trial[i]!;
    xl = f32(xl + f32(f32(weights[i]! * values[i]!) * level));
    ll = f32(ll + f32(f32(weights[i]! * level) * level));
  }
  sums.xl = xl;
  sums.ll = ll;
}

/** The same by changing one level at a time for as long as that fits better. */
export function fitScaleByExchange(group: Group, most: number): number {
  const { size, values, levels } = group;
  const largest = group.largest();
  if (largest === 0) {
    levels.fill(0);
    return 0;
  }
  const inverse = f32(-most / largest);
  for (let i = 0; i < size; i++) levels[i] = most + nearestLevel(f32(inverse * values[i]!), -most, most - 1);
  return exchangeLevels(group, most, 2 * most - 1, true);
}

/**
 * The scale of a group of values of at least 0 that are scale · level, levels from 0 to `most`: the best of nine, and from there
 * one level after the other.
 */
export function fitPositiveScale(group: Group, most: number): number {
  const { size, values, levels } = group;
  const largest = Math.max(0, group.largest());
  if (largest === 0) {
    levels.fill(0);
    return 0;
  }
  const inverse = bestPositiveInverse(group, most, largest);
  for (let i = 0; i < size; i++) levels[i] = Math.min(most, nearestInteger(f32(inverse * values[i]!)));
  return exchangeLevels(group, 0, most, false);
}

/** Of the inverse scales (most + i / 10) / largest, i from −4 to 4, that of the least error; 0 comes first. */
function bestPositiveInverse({ size, values, weights }: Group, most: number, largest: number): number {
  let bestInverse = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let trial = 0; trial < 9; trial++) {
    const shift = trial === 0 ? 0 : trial < 5 ? trial - 5 : trial - 4;
    const inverse = f32(f32(f32(TENTH * shift) + most) / largest);
    const scale = f32(1 / inverse);
    let error = 0;
    for (let i = 0; i < size; i++) {
      const level = Math.min(most, nearestInteger(f32(inverse * values[i]!)));
      const difference = f32(values[i]! - f32(scale * level));
      error = f32(error + f32(f32(weights[i]! * difference) * difference));
    }
    if (error < best) {
      best = error;
      bestInverse = inverse;
    }
  }
  return bestInverse;
}

/**
 * Changes levels, one at a time, to what is nearest under the scale that all others have, where that fits better; returns the
 * scale. Values are scale · (level − `zero`). `last`: also the last of them that is not at zero.
 */
function exchangeLevels({ size, values, weights, levels }: Group, zero: number, most: number, last: boolean): number {
  let sumXL = 0;
  let sumLL = 0;
  for (let i = 0; i < size; i++) {
    const level = levels[i]! - zero;
    sumXL = f32(sumXL + f32(f32(weights[i]! * values[i]!) * level));
    sumLL = f32(sumLL + f32(f32(weights[i]! * level) * level));
  }
  for (let round = 0, changed = true; changed && round < EXCHANGE_ROUNDS; round++) {
    changed = false;
    for (let i = 0; i < size; i++) {
      const x = values[i]!;
      const weight = weights[i]!;
      const old = levels[i]! - zero;
      const restXL = f32(sumXL - f32(f32(weight * x) * old));
      const restLL = f32(sumLL - f32(f32(weight * old) * old));
      if (restXL <= 0 || (!last && restLL <= 0)) continue;
      const level = nearestLevel(f32(f32(x * restLL) / restXL), -zero, most - zero);
      if (level === old) continue;
      const newXL = f32(restXL + f32(f32(weight * x) * level));
      const newLL = f32(restLL + f32(f32(weight * level) * level));
      if (newLL <= 0 || f32(f32(newXL * newXL) * sumLL) <= f32(f32(sumXL * sumXL) * newLL)) continue;
      levels[i] = zero + level;
      sumXL = newXL;
      sumLL = newLL;
      changed = true;
    }
  }
  return sumLL > 0 ? f32(sumXL / sumLL) : 0;
}

/** The scale of a group of values of at least 0 that are scale · level: the largest has the level `most`. */
export function scaleToLargest({ size, values, levels }: Group, most: number): number {
  let largest = 0;
  for (let i = 0; i < size; i++) if (values[i]! > largest) largest = values[i]!;
  const inverse = largest > 0 ? f32(most / largest) : 0;
  for (let i = 0; i < size; i++) levels[i] = nearestLevel(f32(inverse * values[i]!), 0, most);
  return f32(largest / most);
}

/** The scale of a group whose values are scale · (level − `zero`), levels up to `most`: the largest in magnitude has the level 0. */
export function scaleToLeast(group: Group, zero: number, most: number): number {
  const { size, values, levels } = group;
  const largest = group.largest(0);
  if (largest === 0) {
    levels.fill(0);
    return 0;
  }
  const inverse = f32(-zero / largest);
  for (let i = 0; i < size; i++) levels[i] = zero + nearestLevel(f32(inverse * values[i]!), -zero, most - zero);
  return f32(1 / inverse);
}
