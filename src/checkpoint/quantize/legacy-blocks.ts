// f32 to ggml's blocks of 32 values: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, bit for bit as ggml-quants.c has them. Their layouts are in
// ../dequantize/blocks-of-32.ts.
import { fitScaleAndOffset, WEIGHTED_OFFSET } from "./fit-offset.ts";
import { fitScale } from "./fit-scale.ts";
import { Group } from "./group.ts";
import type { Quantizer } from "./quantizer.ts";
import { f32, storeF16, sumOfSquares } from "./rounding.ts";

const BLOCK = 32;
const HALF = BLOCK / 2;

/** Q8_0: d = max|x| / 127, then round(x / d), ties away from zero. Importance would change nothing. */
export const quantizeQ8: Quantizer = (values, out) => {
  const group = new Group(BLOCK);
  for (let from = 0, to = 0; from < values.length; from += BLOCK, to += 2 + BLOCK) {
    group.load(values, from);
    const d = f32(Math.abs(group.largest(0)) / 127);
    const inverse = d === 0 ? 0 : f32(1 / d);
    storeF16(out, to, d);
    for (let j = 0; j < BLOCK; j++) out[to + 2 + j] = roundTiesAway(f32(group.values[j]! * inverse));
  }
};

const roundTiesAway = (x: number): number => (x < 0 ? -Math.floor(0.5 - x) : Math.floor(0.5 + x));

/**
 * Q4_0, Q4_1, Q5_0, Q5_1. Without importance the largest value (of the _1 types both ends) lies on a level; with it scale and
 * offset are fitted.
 */
export const legacyQuantizer =
  (bits: 4 | 5, hasMinimum: boolean): Quantizer =>
  (values, out, importance) => {
    const group = new Group(BLOCK);
    const bytes = 2 + (hasMinimum ? 2 : 0) + (bits === 5 ? 4 : 0) + HALF;
    const columns = importance?.length ?? 0;
    let variance = 0;
    for (let from = 0, to = 0; from < values.length; from += BLOCK, to += bytes) {
      group.load(values, from);
      if (importance) {
        const column = from % columns;
        if (column === 0) variance = f32(sumOfSquares(values, from, from + columns) / columns);
        group.weighByImportance(importance, column, variance);
      }
      if (hasMinimum) {
        const d = importance ? fitScaleAndOffset(group, 2 ** bits - 1, WEIGHTED_OFFSET) : spanRange(group, bits);
        storeF16(out, to, d);
        storeF16(out, to + 2, -group.offset);
      } else {
        storeF16(out, to, importance ? fitScale(group, 2 ** (bits - 1)) : spanLargest(group, bits));
      }
      pack(group.levels, out, to + bytes - HALF, bits);
    }
  };

// Levels are rounded by adding a half: what lies behind the point is lost on the store into bytes.

/** The level 0 is the largest value. */
function spanLargest(group: Group, bits: number): number {
  const { values, levels } = group;
  const zero = 2 ** (bits - 1);
  const d = f32(group.largest(0) / -zero);
  const inverse = d === 0 ? 0 : f32(1 / d);
  for (let j = 0; j < BLOCK; j++) levels[j] = Math.min(2 * zero - 1, f32(f32(values[j]! * inverse) + zero + 0.5));
  return d;
}

/** The least value is the level 0, the largest the last. */
function spanRange(group: Group, bits: number): number {
  const { values, levels } = group;
  const low = group.lowest();
  const most = 2 ** bits - 1;
  const d = f32(f32(group.highest() - low) / most);
  const inverse = d === 0 ? 0 : f32(1 / d);
  for (let j = 0; j < BLOCK; j++) levels[j] = Math.min(most, f32(f32(f32(values[j]! - low) * inverse) + 0.5));
  group.offset = -low;
  return d;
}

/** Low four bits of the levels in pairs, j below j + 16; before them the fifth bits of all 32. */
function pack(levels: Uint8Array, out: Uint8Array, at: number, bits: 4 | 5): void {
  for (let j = 0; j < HALF; j++) out[at + j] = (levels[j]! & 15) | ((levels[j + HALF]! & 15) << 4);
  if (bits === 4) return;
  for (let i = 0; i < 4; i++) {
    let high = 0;
    for (let j = 0; j < 8; j++) high |= (levels[i * 8 + j]! >> 4) << j;
    out[at - 4 + i] = high;
  }
}
