// ggml's block-quantized types to f32, and f32 to Q8_0, bit for bit as ggml-quants.c computes them.
import { F16_VALUES, f16Bits } from "./float16.ts";

const BLOCK = 32;
const SUPER_BLOCK = 256;

// Dequantizing multiplies an f16 scale by a small integer, which is exact in f64: rounding happens once, on the store into
// f32, as it does in ggml.

/** Reads little-endian f16 values out of packed blocks. */
function f16Reader(bytes: Uint8Array): (position: number) => number {
  return (position) => F16_VALUES[bytes[position]! | (bytes[position + 1]! << 8)]!;
}

/** Q8_0: f16 d, 32 × i8 q; value d·q. */
export function dequantizeQ8(bytes: Uint8Array, out: Float32Array): void {
  const f16 = f16Reader(bytes);
  for (let at = 0, to = 0; to < out.length; at += 2 + BLOCK, to += BLOCK) {
    const d = f16(at);
    for (let j = 0; j < BLOCK; j++) out[to + j] = d * ((bytes[at + 2 + j]! << 24) >> 24);
  }
}

/**
 * Q4_0, Q4_1, Q5_0, Q5_1: f16 d, f16 m of the _1 types, 32 fifth bits of the Q5 types, 32 × 4 bits (low halves first).
 * Value d·q + m; the _0 types store q centred, which is m = −8d, or −16d with five bits.
 */
export function dequantizeQ4Q5(bytes: Uint8Array, out: Float32Array, bits: 4 | 5, hasMinimum: boolean): void {
  const f16 = f16Reader(bytes);
  const highStart = hasMinimum ? 4 : 2;
  const lowStart = highStart + (bits === 5 ? 4 : 0);
  const half = BLOCK / 2;
  for (let at = 0, to = 0; to < out.length; at += lowStart + half, to += BLOCK) {
    const d = f16(at);
    const m = hasMinimum ? f16(at + 2) : -d * (bits === 5 ? 16 : 8);
    for (let j = 0; j < BLOCK; j++) {
      const pair = bytes[at + lowStart + (j % half)]!;
      const low = j < half ? pair & 15 : pair >> 4;
      const high = bits === 5 ? (bytes[at + highStart + (j >> 3)]! >> (j & 7)) & 1 : 0;
      out[to + j] = d * (low | (high << 4)) + m;
    }
  }
}

/**
 * Q4_K, Q5_K: f16 d and dmin, eight 6-bit scales and minima in 12 bytes, 256 fifth bits of Q5_K, 256 × 4 bits.
 * Sub-block s of 32 values: (d·scale_s)·q − dmin·min_s.
 */
export function dequantizeQ4KQ5K(bytes: Uint8Array, out: Float32Array, bits: 4 | 5): void {
  const f16 = f16Reader(bytes);
  const highStart = 16;
  const lowStart = highStart + (bits === 5 ? SUPER_BLOCK / 8 : 0);
  for (let at = 0, to = 0; to < out.length; at += lowStart + SUPER_BLOCK / 2, to += SUPER_BLOCK) {
    const d = f16(at);
    const dmin = f16(at + 2);
    for (let s = 0; s < 8; s++) {
      const scale = d * sixBitScale(bytes, at + 4, s);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, s);
      const low = at + lowStart + (s >> 1) * 32;
      const nibble = (s & 1) * 4;
      for (let j = 0; j < 32; j++) {
        const high = bits === 5 ? (bytes[at + highStart + j]! >> s) & 1 : 0;
        out[to + s * 32 + j] = scale * (((bytes[low + j]! >> nibble) & 15) | (high << 4)) - minimum;
      }
    }
  }
}

// Of the 12 bytes, 0-3 and 4-7 hold scales and minima 0-3 in their low six bits; scales and minima 4-7 have their low
// four bits in bytes 8-11 (scale below, minimum above) and their high two on top of bytes 0-3 and 4-7.
const sixBitScale = (bytes: Uint8Array, at: number, s: number): number =>
  s < 4 ? bytes[at + s]! & 63 : (bytes[at + 4 + s]! & 15) | ((bytes[at + s - 4]! >> 6) << 4);
const sixBitMinimum = (bytes: Uint8Array, at: number, s: number): number =>
  s < 4 ? bytes[at + 4 + s]! & 63 : (bytes[at + 4 + s]! >> 4) | ((bytes[at + s]! >> 6) << 4);

/** Q6_K: 256 × low 4 bits, 256 × high 2 bits, 16 × i8 scales, f16 d; value d·scale·(q − 32), a scale for 16 values. */
export function dequantizeQ6K(bytes: Uint8Array, out: Float32Array): void {
  const f16 = f16Reader(bytes);
  for (let at = 0, to = 0; to < out.length; at += 210, to += SUPER_BLOCK) {
    const d = f16(at + 208);
    for (let row = 0; row < 8; row++) {
      // Each half of the block is four rows of 32: rows 0 and 1 in the low nibbles, 2 and 3 in the high ones.
      const half = row >> 2;
      const quarter = row & 3;
      const low = at + half * 64 + (quarter & 1) * 32;
      const high = at + 128 + half * 32;
      for (let j = 0; j < 32; j++) {
        const scale = (bytes[at + 192 + row * 2 + (j >> 4)]! << 24) >> 24;
        const lowBits = (bytes[low + j]! >> ((quarter >> 1) * 4)) & 15;
        const highBits = (bytes[high + j]! >> (quarter * 2)) & 3;
        out[to + row * 32 + j] = d * scale * ((lowBits | (highBits << 4)) - 32);
      }
    }
  }
}

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
