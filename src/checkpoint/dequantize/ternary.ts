// ggml's ternary types: 256 values of −d, 0 or d.
import { readF16 } from "../float16.ts";

const BLOCK = 256;
const POWERS_OF_3 = [1, 3, 9, 27, 81] as const;

/** TQ1_0: 52 bytes of five digits to the base 3 each (the last four of four), f16 d; value d·(digit − 1). */
export function dequantizeTQ1(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 54, to += BLOCK) {
    const d = readF16(bytes, at + 52);
    putDigits(bytes, at, 32, 5, d, out, to);
    putDigits(bytes, at + 32, 16, 5, d, out, to + 160);
    putDigits(bytes, at + 48, 4, 4, d, out, to + 240);
  }
}

/** A byte is the fraction 0.abcde to the base 3 in 256ths: times 3^n, less the whole, times 3 again leaves the n-th digit as whole. */
function putDigits(
  bytes: Uint8Array,
  at: number,
  count: number,
  digits: number,
  d: number,
  out: Float32Array,
  to: number,
): void {
  for (let n = 0; n < digits; n++) {
    const power = POWERS_OF_3[n]!;
    for (let j = 0; j < count; j++) out[to + n * count + j] = d * (((((bytes[at + j]! * power) & 255) * 3) >> 8) - 1);
  }
}

/** TQ2_0: 256 × 2 bits q, four rows of 32 in the same 32 bytes for each half, f16 d; value d·(q − 1). */
export function dequantizeTQ2(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 66, to += BLOCK) {
    const d = readF16(bytes, at + 64);
    for (let row = 0; row < 8; row++) {
      const from = at + (row >> 2) * 32;
      const shift = (row & 3) * 2;
      for (let j = 0; j < 32; j++) out[to + row * 32 + j] = d * (((bytes[from + j]! >> shift) & 3) - 1);
    }
  }
}
