// The arithmetic of ggml's quantizers: every step in f32, so that sums, and with them the choices between scales, come out the same.
import { F16_VALUES, f16Bits } from "../float16.ts";

export const f32 = Math.fround;

/** What is added to it is rounded to an integer, ties to even. */
const TO_INTEGER = 1.5 * 2 ** 52;
/** The largest finite f16. */
const F16_MOST = 65504;

export const nearestInteger = (x: number): number => x + TO_INTEGER - TO_INTEGER;

/** The nearest of the integers from `least` to `most`. */
export const nearestLevel = (x: number, least: number, most: number): number =>
  Math.max(least, Math.min(most, nearestInteger(x)));

const value = new Float32Array(1);
const valueBits = new Uint32Array(value.buffer);

/** Writes the nearest finite f16 and returns what is then read back. */
export function storeF16(out: Uint8Array, at: number, x: number): number {
  value[0] = Math.max(-F16_MOST, Math.min(F16_MOST, x));
  const bits = f16Bits(valueBits[0]!);
  out[at] = bits & 255;
  out[at + 1] = bits >> 8;
  return F16_VALUES[bits]!;
}

export function sumOfSquares(values: Float32Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum = f32(sum + f32(values[i]! * values[i]!));
  return sum;
}
