// ggml's K types: blocks of 256 values in sub-blocks with scales of their own.
import { readF16 } from "../float16.ts";

const BLOCK = 256;

/**
 * Q2_K: 16 × (4 bits scale, 4 bits minimum), 256 × 2 bits q, f16 d and dmin.
 * Sub-block s of 16 values: (d·scale_s)·q − dmin·min_s.
 */
export function dequantizeQ2K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 84, to += BLOCK) {
    const d = readF16(bytes, at + 80);
    const dmin = readF16(bytes, at + 82);
    for (let s = 0; s < 16; s++) {
      const scale = d * (bytes[at + s]! & 15);
      const minimum = dmin * (bytes[at + s]! >> 4);
      const from = at + 16 + twoBitsAt(s);
      const shift = twoBitShift(s);
      for (let j = 0; j < 16; j++) out[to + s * 16 + j] = scale * ((bytes[from + j]! >> shift) & 3) - minimum;
    }
  }
}

// Two-bit values are stored as four rows of 32 in the same 32 bytes, the first in the lowest bits, for each half of a block.
const twoBitsAt = (s: number): number => (s >> 3) * 32 + (s & 1) * 16;
const twoBitShift = (s: number): number => s & 6;

/**
 * Q3_K: 256 third bits, 256 × 2 bits, sixteen 6-bit scales in 12 bytes, f16 d; value d·(scale − 32)·q of sub-blocks of 16, q two
 * bits, less 4 where the third bit is not set.
 */
export function dequantizeQ3K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 110, to += BLOCK) {
    const d = readF16(bytes, at + 108);
    for (let s = 0; s < 16; s++) {
      const scale = d * (q3Scale(bytes, at + 96, s) - 32);
      const from = at + 32 + twoBitsAt(s);
      const shift = twoBitShift(s);
      const high = at + (s & 1) * 16;
      const row = s >> 1;
      for (let j = 0; j < 16; j++) {
        const missing = 4 - (((bytes[high + j]! >> row) & 1) << 2);
        out[to + s * 16 + j] = scale * (((bytes[from + j]! >> shift) & 3) - missing);
      }
    }
  }
}

// Of the 12 bytes, 0-7 hold the low four bits of scales 0-7 below and 8-15 above; 8-11 the high two of scales 0-3, 4-7, 8-11
// and 12-15 from the lowest bits on.
const q3Scale = (bytes: Uint8Array, at: number, s: number): number =>
  ((bytes[at + (s & 7)]! >> ((s >> 3) * 4)) & 15) | (((bytes[at + 8 + (s & 3)]! >> ((s >> 2) * 2)) & 3) << 4);

/** Q4_K: f16 d and dmin, eight 6-bit scales and minima in 12 bytes, 256 × 4 bits q; of 32 values (d·scale_s)·q − dmin·min_s. */
export function dequantizeQ4K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 144, to += BLOCK) {
    const d = readF16(bytes, at);
    const dmin = readF16(bytes, at + 2);
    for (let s = 0; s < 8; s++) {
      const scale = d * sixBitScale(bytes, at + 4, s);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, s);
      const from = at + 16 + (s >> 1) * 32;
      const shift = (s & 1) * 4;
      for (let j = 0; j < 32; j++) out[to + s * 32 + j] = scale * ((bytes[from + j]! >> shift) & 15) - minimum;
    }
  }
}

/** Q5_K: as Q4_K, with 256 fifth bits between scales and low bits. */
export function dequantizeQ5K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 176, to += BLOCK) {
    const d = readF16(bytes, at);
    const dmin = readF16(bytes, at + 2);
    const high = at + 16;
    for (let s = 0; s < 8; s++) {
      const scale = d * sixBitScale(bytes, at + 4, s);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, s);
      const from = at + 48 + (s >> 1) * 32;
      const shift = (s & 1) * 4;
      for (let j = 0; j < 32; j++) {
        const q = ((bytes[from + j]! >> shift) & 15) | (((bytes[high + j]! >> s) & 1) << 4);
        out[to + s * 32 + j] = scale * q - minimum;
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
  for (let at = 0, to = 0; to < out.length; at += 210, to += BLOCK) {
    const d = readF16(bytes, at + 208);
    for (let s = 0; s < 16; s++) {
      const scale = d * ((bytes[at + 192 + s]! << 24) >> 24);
      // Each half of the block is four rows of 32: rows 0 and 1 in the low nibbles of 64 bytes, 2 and 3 in the high ones.
      const low = at + (s >> 3) * 64 + (s & 3) * 16;
      const lowShift = s & 4;
      const high = at + 128 + twoBitsAt(s);
      const highShift = twoBitShift(s);
      for (let j = 0; j < 16; j++) {
        const q = ((bytes[low + j]! >> lowShift) & 15) | (((bytes[high + j]! >> highShift) & 3) << 4);
        out[to + s * 16 + j] = scale * (q - 32);
      }
    }
  }
}
