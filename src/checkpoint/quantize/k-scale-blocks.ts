// f32 to those of ggml's K types whose groups of 16 have a scale alone: Q3_K and Q6_K, bit for bit as ggml-quants.c has them.
// A value is d · scale · level, with the scales of a block of 256 as small integers; levels and scales may be negative.
import { fitScale, fitScaleByExchange, scaleToLeast } from "./fit-scale.ts";
import { Group } from "./group.ts";
import { packTwoBits } from "./pack.ts";
import type { Quantizer } from "./quantizer.ts";
import { f32, nearestLevel, storeF16, sumOfSquares } from "./rounding.ts";

const BLOCK = 256;
const GROUPS = 16;
const GROUP = BLOCK / GROUPS;

/** Q3_K: 256 high bits, 256 × low 2 bits, 16 scales of six bits in 12 bytes, f16 d. */
export const quantizeQ3K: Quantizer = (values, out, importance) => {
  const group = new Group(GROUP);
  const scales = new Group(GROUPS);
  const levels = new Uint8Array(BLOCK);
  const columns = importance?.length ?? 0;
  for (let from = 0, to = 0; from < values.length; from += BLOCK, to += 110) {
    const variance = importance && f32((2 * sumOfSquares(values, from, from + BLOCK)) / BLOCK);
    for (let s = 0; s < GROUPS; s++) {
      const start = from + s * GROUP;
      group.load(values, start);
      if (importance) group.weighByImportance(importance, start % columns, variance!);
      else group.weighBySquare();
      scales.values[s] = importance ? fitScale(group, 4) : fitScaleByExchange(group, 4);
      scales.weights[s] = group.totalWeight();
      levels.set(group.levels, s * GROUP);
    }
    const d = storeF16(out, to + 108, importance ? fitScale(scales, 32) : scaleToLeast(scales, 32, 63));
    requantize(values, from, levels, d, scales.levels, 32, 4);
    packHighBits(levels, out, to);
    packTwoBits(levels, out, to + 32);
    packScales(scales.levels, out, to + 96);
  }
};

/** Q6_K: 256 × low 4 bits, 256 × high 2 bits, 16 × i8 scales, f16 d. */
export const quantizeQ6K: Quantizer = (values, out, importance) => {
  const group = new Group(GROUP);
  const scales = new Group(GROUPS);
  const levels = new Uint8Array(BLOCK);
  const columns = importance?.length ?? 0;
  for (let from = 0, to = 0; from < values.length; from += BLOCK, to += 210) {
    for (let s = 0; s < GROUPS; s++) {
      const start = from + s * GROUP;
      group.load(values, start);
      if (importance) for (let i = 0; i < GROUP; i++) group.weights[i] = importance[(start % columns) + i]!;
      else group.weighBySquare();
      scales.values[s] = fitScale(group, 32);
      levels.set(group.levels, s * GROUP);
    }
    if (scales.largest() === 0) {
      out.fill(0, to, to + 210);
      continue;
    }
    const d = storeF16(out, to + 208, scaleToLeast(scales, 128, 255));
    requantize(values, from, levels, d, scales.levels, 128, 32);
    packSixBits(levels, out, to);
    for (let s = 0; s < GROUPS; s++) out[to + 192 + s] = scales.levels[s]! - 128;
  }
};

/** The levels that the values have with the scales as they are stored; those of a scale of 0 stay. */
function requantize(
  values: Float32Array,
  from: number,
  levels: Uint8Array,
  d: number,
  scales: Uint8Array,
  zeroScale: number,
  zero: number,
): void {
  for (let s = 0; s < GROUPS; s++) {
    const scale = f32(d * (scales[s]! - zeroScale));
    if (scale === 0) continue;
    for (let i = s * GROUP; i < (s + 1) * GROUP; i++)
      levels[i] = zero + nearestLevel(f32(values[from + i]! / scale), -zero, zero - 1);
  }
}

/** The third bits of 256 levels: bit i of byte j is that of level 32·i + j. */
function packHighBits(levels: Uint8Array, out: Uint8Array, at: number): void {
  for (let j = 0; j < 32; j++) {
    let packed = 0;
    for (let i = 0; i < 8; i++) packed |= (levels[i * 32 + j]! >> 2) << i;
    out[at + j] = packed;
  }
}

/** Of 16 scales the low four bits, those from the ninth on above the first eight; then the high two, of every fourth scale a byte. */
function packScales(scales: Uint8Array, out: Uint8Array, at: number): void {
  for (let s = 0; s < 8; s++) out[at + s] = (scales[s]! & 15) | ((scales[s + 8]! & 15) << 4);
  for (let s = 0; s < 4; s++) {
    let packed = 0;
    for (let i = 0; i < 4; i++) packed |= (scales[i * 4 + s]! >> 4) << (2 * i);
    out[at + 8 + s] = packed;
  }
}

/** Each half of the levels is four rows of 32: rows 0 and 1 in the low nibbles, 2 and 3 in the high ones. */
function packSixBits(levels: Uint8Array, out: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++)
    for (let j = 0; j < 32; j++) {
      const first = half * 128 + j;
      const [a, b, c, d] = [levels[first]!, levels[first + 32]!, levels[first + 64]!, levels[first + 96]!];
      out[at + half * 64 + j] = (a & 15) | ((c & 15) << 4);
      out[at + half * 64 + 32 + j] = (b & 15) | ((d & 15) << 4);
      out[at + 128 + half * 32 + j] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6);
    }
}
