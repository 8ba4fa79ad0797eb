// f32 to ggml's Q8_0, bit for bit as ggml-quants.c computes it.
import { f16Bits } from "./float16.ts";

const BLOCK = 32;

/**
 * Q8_0 as quantize_row_q8_0_ref has it, every step in f32: of each 32 values d = max|x| / 127 as f16, then round(x / d) as i8,
 * ties away from zero.
 */
export function quantizeQ8(values: Float32Array): Uint8Array {
  const out = new Uint8Array((values.length / BLOCK) * (2 + BLOCK));
  const scale = new Float32Array(1);
  const scaleBits = new Uint32Array(scale.buffer);
  for (let from = 0, to = 0; from < values.length; from += BLOCK, to += 2 + BLOCK) {
    scale[0] = largestMagnitude(values, from, from + BLOCK) / 127;
    const inverse = scale[0] === 0 ? 0 : Math.fround(1 / scale[0]!);
    const half = f16Bits(scaleBits[0]!);
    out[to] = half & 255;
    out[to + 1] = half >> 8;
    for (let j = 0; j < BLOCK; j++) out[to + 2 + j] = roundTiesAway(Math.fround(values[from + j]! * inverse));
  }
  return out;
}

const roundTiesAway = (x: number): number => (x < 0 ? -Math.floor(0.5 - x) : Math.floor(0.5 + x));

function largestMagnitude(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}
