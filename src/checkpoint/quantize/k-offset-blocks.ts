// f32 to those of ggml's K types whose groups have a scale and an offset: Q2_K, Q4_K, Q5_K, bit for bit as ggml-quants.c has them.
// A value is d · scale · level − dmin · minimum, with the scales and minima of the groups of a block of 256 as small integers.
import { fitScaleAndOffset, type OffsetSearch, WEIGHTED_OFFSET } from "./fit-offset.ts";
import { fitPositiveScale, scaleToLargest } from "./fit-scale.ts";
import { Group } from "./group.ts";
import { packTwoBits } from "./pack.ts";
import type { Quantizer } from "./quantizer.ts";
import { f32, nearestLevel, storeF16, sumOfSquares } from "./rounding.ts";

const BLOCK = 256;

interface OffsetType {
  readonly bytes: number;
  readonly groupSize: 16 | 32;
  /** The last level of a value, and of a scale or minimum. */
  readonly most: number;
  readonly mostScale: number;
  /** Where d stands in a block; dmin follows. */
  readonly at: number;
  readonly search: OffsetSearch;
  readonly weigh: (group: Group) => void;
  /** How much of the mean square of the block counts beside importance. */
  readonly varianceFactor: number;
  readonly pack: (block: QuantizedBlock, out: Uint8Array, to: number) => void;
}

/** The levels of a block, and those of its groups' scales and minima. */
interface QuantizedBlock {
  readonly levels: Uint8Array;
  readonly scales: Uint8Array;
  readonly minima: Uint8Array;
}

export const quantizeQ2K: Quantizer = offsetQuantizer({
  bytes: 84,
  groupSize: 16,
  most: 3,
  mostScale: 15,
  at: 80,
  search: { first: -0.5, step: 0.1, steps: 15, absolute: true },
  weigh: byMagnitude,
  varianceFactor: 1,
  pack: ({ levels, scales, minima }, out, to) => {
    for (let s = 0; s < 16; s++) out[to + s] = scales[s]! | (minima[s]! << 4);
    packTwoBits(levels, out, to + 16);
  },
});

export const quantizeQ4K: Quantizer = offsetQuantizer({
  bytes: 144,
  groupSize: 32,
  most: 15,
  mostScale: 63,
  at: 0,
  search: { first: -1, step: 0.1, steps: 20, absolute: false },
  weigh: byMagnitudeAndMean,
  varianceFactor: 2,
  pack: ({ levels, scales, minima }, out, to) => {
    packSixBits(scales, minima, out, to + 4);
    packLowHalves(levels, out, to + 16);
  },
});

export const quantizeQ5K: Quantizer = offsetQuantizer({
  bytes: 176,
  groupSize: 32,
  most: 31,
  mostScale: 63,
  at: 0,
  search: { first: -0.5, step: 0.1, steps: 15, absolute: false },
  weigh: byMagnitudeAndMean,
  varianceFactor: 2,
  pack: ({ levels, scales, minima }, out, to) => {
    packSixBits(scales, minima, out, to + 4);
    for (let j = 0; j < 32; j++) {
      let high = 0;
      for (let s = 0; s < 8; s++) high |= (levels[s * 32 + j]! >> 4) << s;
      out[to + 16 + j] = high;
    }
    packLowHalves(levels, out, to + 48);
  },
});

function byMagnitude({ size, values, weights }: Group): void {
  for (let i = 0; i < size; i++) weights[i] = Math.abs(values[i]!);
}

function byMagnitudeAndMean(group: Group): void {
  const { size, values, weights } = group;
  const mean = f32(Math.sqrt(f32(group.sumOfSquares() / size)));
  for (let i = 0; i < size; i++) weights[i] = f32(mean + Math.abs(values[i]!));
}

function offsetQuantizer(type: OffsetType): Quantizer {
  const { bytes, groupSize, mostScale, at } = type;
  const groups = BLOCK / groupSize;
  return (values, out, importance) => {
    const group = new Group(groupSize);
    // the scales and minima of the groups, to be quantized themselves
    const scales = new Group(groups);
    const minima = new Group(groups);
    const block = { levels: new Uint8Array(BLOCK), scales: scales.levels, minima: minima.levels };
    const columns = importance?.length ?? 0;
    const quantizeScales = importance ? fitPositiveScale : scaleToLargest;
    for (let from = 0, to = 0; from < values.length; from += BLOCK, to += bytes) {
      const variance = importance && f32((type.varianceFactor * sumOfSquares(values, from, from + BLOCK)) / BLOCK);
      for (let s = 0; s < groups; s++) {
        const start = from + s * groupSize;
        group.load(values, start);
        if (importance) group.weighByImportance(importance, start % columns, variance!);
        else type.weigh(group);
        scales.values[s] = fitScaleAndOffset(group, type.most, importance ? WEIGHTED_OFFSET : type.search);
        minima.values[s] = group.offset;
        block.levels.set(group.levels, s * groupSize);
        scales.weights[s] = minima.weights[s] = group.totalWeight();
      }
      const d = storeF16(out, to + at, quantizeScales(scales, mostScale));
      const dmin = storeF16(out, to + at + 2, quantizeScales(minima, mostScale));
      requantize(type, values, from, block, d, dmin);
      type.pack(block, out, to);
    }
  };
}

/** The levels that the values have with scales and minima as they are stored; those of a scale of 0 stay. */
function requantize(
  { groupSize, most }: OffsetType,
  values: Float32Array,
  from: number,
  { levels, scales, minima }: QuantizedBlock,
  d: number,
  dmin: number,
): void {
  for (let s = 0; s < BLOCK / groupSize; s++) {
    const scale = f32(d * scales[s]!);
    if (scale === 0) continue;
    const minimum = f32(dmin * minima[s]!);
    for (let i = s * groupSize; i < (s + 1) * groupSize; i++)
      levels[i] = nearestLevel(f32(f32(values[from + i]! + minimum) / scale), 0, most);
  }
}

/** Eight scales and eight minima of six bits in 12 bytes; ../dequantize/k-quants.ts tells how. */
function packSixBits(scales: Uint8Array, minima: Uint8Array, out: Uint8Array, at: number): void {
  for (let s = 0; s < 4; s++) {
    out[at + s] = scales[s]! | ((scales[s + 4]! >> 4) << 6);
    out[at + 4 + s] = minima[s]! | ((minima[s + 4]! >> 4) << 6);
    out[at + 8 + s] = (scales[s + 4]! & 15) | ((minima[s + 4]! & 15) << 4);
  }
}

/** Low four bits of 256 levels; of each 64 those of the first 32 below those of the others. */
function packLowHalves(levels: Uint8Array, out: Uint8Array, at: number): void {
  for (let start = 0; start < BLOCK; start += 64)
    for (let j = 0; j < 32; j++)
      out[at + start / 2 + j] = (levels[start + j]! & 15) | ((levels[start + 32 + j]! & 15) << 4);
}
