// ggml's first quantized types, in blocks of 32 values.
//
// Here as in all of this folder, a scale in f16 times small integers is exact in f64: rounding happens once, on the store into f32,
// as it does in ggml.
import { readF16 } from "../float16.ts";

const BLOCK = 32;
const HALF = BLOCK / 2;

/** Q8_0: f16 d, 32 × i8 q; value d·q. */
export function dequantizeQ8(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 2 + BLOCK, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let j = 0; j < BLOCK; j++) out[to + j] = d * ((bytes[at + 2 + j]! << 24) >> 24);
  }
}

/** Q4_0: f16 d, 32 × 4 bits q, those of the first half in the low halves of the bytes; value d·(q − 8). */
export function dequantizeQ4Centred(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 2 + HALF, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let j = 0; j < HALF; j++) {
      const pair = bytes[at + 2 + j]!;
      out[to + j] = d * ((pair & 15) - 8);
      out[to + HALF + j] = d * ((pair >> 4) - 8);
    }
  }
}

/** Q4_1: f16 d, f16 m, 32 × 4 bits q as in Q4_0; value d·q + m. */
export function dequantizeQ4WithMinimum(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 4 + HALF, to += BLOCK) {
    const d = readF16(bytes, at);
    const m = readF16(bytes, at + 2);
    for (let j = 0; j < HALF; j++) {
      const pair = bytes[at + 4 + j]!;
      out[to + j] = d * (pair & 15) + m;
      out[to + HALF + j] = d * (pair >> 4) + m;
    }
  }
}

/** Q5_0: f16 d, 32 fifth bits, 32 × 4 bits as in Q4_0; value d·(q − 16). */
export function dequantizeQ5Centred(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 6 + HALF, to += BLOCK) {
    const d = readF16(bytes, at);
    const high = readU32(bytes, at + 2);
    for (let j = 0; j < HALF; j++) {
      const pair = bytes[at + 6 + j]!;
      out[to + j] = d * (((pair & 15) | (((high >> j) & 1) << 4)) - 16);
      out[to + HALF + j] = d * (((pair >> 4) | (((high >> (HALF + j)) & 1) << 4)) - 16);
    }
  }
}

/** Q5_1: f16 d, f16 m, 32 fifth bits, 32 × 4 bits as in Q4_0; value d·q + m. */
export function dequantizeQ5WithMinimum(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 8 + HALF, to += BLOCK) {
    const d = readF16(bytes, at);
    const m = readF16(bytes, at + 2);
    const high = readU32(bytes, at + 4);
    for (let j = 0; j < HALF; j++) {
      const pair = bytes[at + 8 + j]!;
      out[to + j] = d * ((pair & 15) | (((high >> j) & 1) << 4)) + m;
      out[to + HALF + j] = d * ((pair >> 4) | (((high >> (HALF + j)) & 1) << 4)) + m;
    }
  }
}

const readU32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
