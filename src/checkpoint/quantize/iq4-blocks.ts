// f32 to ggml's 4-bit types with uneven levels: IQ4_NL and IQ4_XS, bit for bit as ggml-quants.c has them. A value is scale ·
// LEVELS[level]; of IQ4_XS, d · (six bits − 32) is the scale of 32 of a block's 256 values.
import { Group } from "./group.ts";
import type { Quantizer } from "./quantizer.ts";
import { f32, nearestLevel, storeF16, sumOfSquares } from "./rounding.ts";

const GROUP = 32;
const BLOCK = 256;
/** Denser about 0, as weights are. */
const LEVELS = Float32Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
/** From DOUBLED[i] on twice a value is nearer to level i + 1 than to level i. */
const DOUBLED = LEVELS.slice(1).map((level, i) => level + LEVELS[i]!);
/** The scales tried put the largest value at −127 and up to seven steps beside it. */
const TRIED = 7;

/** IQ4_NL: f16 d, 32 × 4 bits. */
export const quantizeIQ4NL: Quantizer = (values, out, importance) => {
  const group = new Group(GROUP);
  const columns = importance?.length ?? 0;
  for (let from = 0, to = 0; from < values.length; from += GROUP, to += 18) {
    group.load(values, from);
    if (importance) group.weighByImportance(importance, from % columns, varianceOf(values, from, GROUP));
    else group.weighBySquare();
    const d = fitUneven(group);
    storeF16(out, to, d);
    nearestUneven(group, d);
    packNibbles(group.levels, out, to + 2);
  }
};

/** IQ4_XS: f16 d, 8 × high 2 bits and 8 × low 4 bits of the scales, 256 × 4 bits. */
export const quantizeIQ4XS: Quantizer = (values, out, importance) => {
  const group = new Group(GROUP);
  const scales = new Group(BLOCK / GROUP);
  const columns = importance?.length ?? 0;
  for (let from = 0, to = 0; from < values.length; from += BLOCK, to += 136) {
    const variance = importance && varianceOf(values, from, BLOCK);
    for (let s = 0; s < scales.size; s++) {
      const start = from + s * GROUP;
      group.load(values, start);
      if (importance) group.weighByImportance(importance, start % columns, variance!);
      else group.weighBySquare();
      scales.values[s] = fitUneven(group);
    }
    const d = f32(-scales.largest(0) / 32);
    const inverse = d === 0 ? 0 : f32(1 / d);
    storeF16(out, to, d);
    for (let s = 0; s < scales.size; s++) {
      const scale = nearestLevel(f32(inverse * scales.values[s]!), -32, 31);
      scales.levels[s] = scale + 32;
      group.load(values, from + s * GROUP);
      nearestUneven(group, f32(d * scale));
      packNibbles(group.levels, out, to + 8 + s * 16);
    }
    packScales(scales.levels, out, to + 2);
  }
};

const varianceOf = (values: Float32Array, start: number, count: number): number =>
  f32(sumOfSquares(values, start, start + count) * (2 / count));

/** The scale of a group: the best of those tried, each fitted to the levels that it gives. */
function fitUneven(group: Group): number {
  const largest = group.largest();
  if (largest === 0) return 0;
  let scale = 0;
  let best = 0;
  for (let i = -TRIED - 1; i <= TRIED; i++) {
    // first of all the largest value at 127
    const isFirst = i < -TRIED;
    const inverse = isFirst ? f32(1 / f32(-largest / LEVELS[0]!)) : f32((i + LEVELS[0]!) / largest);
    if (!tryLevels(group, inverse) && !isFirst) continue;
    sumUp(group);
    if (!isFirst && !(sums.ll > 0 && f32(sums.xl * sums.xl) > f32(best * sums.ll))) continue;
    scale = sums.ll > 0 ? f32(sums.xl / sums.ll) : 0;
    best = f32(scale * sums.xl);
  }
  return scale;
}

/** Puts the nearest levels of x · inverse on trial; false where they have been already, as more often than not. */
function tryLevels({ size, values, trial }: Group, inverse: number): boolean {
  let changed = false;
  for (let i = 0; i < size; i++) {
    const level = LEVELS[indexOf(f32(inverse * values[i]!))]!;
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
    const weighted = f32(weights[i]! * trial[i]!);
    xl = f32(xl + f32(weighted * values[i]!));
    ll = f32(ll + f32(weighted * trial[i]!));
  }
  sums.xl = xl;
  sums.ll = ll;
}

function nearestUneven({ size, values, levels }: Group, scale: number): void {
  const inverse = scale === 0 ? 0 : f32(1 / scale);
  for (let i = 0; i < size; i++) levels[i] = indexOf(f32(inverse * values[i]!));
}

/** The nearest of the 16 levels, by halving. */
function indexOf(x: number): number {
  const doubled = x + x;
  let index = doubled >= DOUBLED[7]! ? 8 : 0;
  if (doubled >= DOUBLED[index + 3]!) index += 4;
  if (doubled >= DOUBLED[index + 1]!) index += 2;
  return doubled >= DOUBLED[index]! ? index + 1 : index;
}

/** 32 levels in pairs, j below j + 16. */
function packNibbles(levels: Uint8Array, out: Uint8Array, at: number): void {
  for (let j = 0; j < 16; j++) out[at + j] = levels[j]! | (levels[j + 16]! << 4);
}

/** Eight scales of six bits: the high two of all in two bytes, then the low four in pairs. */
function packScales(scales: Uint8Array, out: Uint8Array, at: number): void {
  let high = 0;
  for (let s = 0; s < 8; s++) high |= (scales[s]! >> 4) << (2 * s);
  out[at] = high & 255;
  out[at + 1] = high >> 8;
  for (let i = 0; i < 4; i++) out[at + 2 + i] = (scales[2 * i]! & 15) | ((scales[2 * i + 1]! & 15) << 4);
}
