// ggml's IQ1 types: 8 values are a point of a grid of −1, 0 and 1, moved up or down by an eighth; value scale·(coordinate ± 1/8).
import { F16_VALUES, readF16, readU16 } from "../float16.ts";
import { IQ1_POINTS } from "./grids.ts";

const BLOCK = 256;
const SHIFT = 0.125;

/**
 * IQ1_S: f16 d, 32 × low 8 bits of a point, 8 × (4 × high 3 bits, 3 bits scale s, the bit that moves down), each for 32 values;
 * scale d·(2s + 1).
 */
export function dequantizeIQ1S(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 50, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let group = 0; group < 8; group++) {
      const high = readU16(bytes, at + 34 + group * 2);
      const scale = d * (2 * ((high >> 12) & 7) + 1);
      const shift = high & 0x8000 ? -SHIFT : SHIFT;
      for (let n = 0; n < 4; n++) {
        const point = bytes[at + 2 + group * 4 + n]! | (((high >> (3 * n)) & 7) << 8);
        putPoint(point, scale, shift, out, to + group * 32 + n * 8);
      }
    }
  }
}

/**
 * IQ1_M: 32 × low 8 bits of a point, 32 × (high 3 bits, the bit that moves down), four words of four 3-bit scales s, each for 16
 * values; the high nibbles of these words are the f16 d; scale d·(2s + 1).
 */
export function dequantizeIQ1M(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 56, to += BLOCK) {
    const d = F16_VALUES[scatteredF16(bytes, at + 48)]!;
    for (let n = 0; n < 32; n++) {
      const word = readU16(bytes, at + 48 + (n >> 3) * 2);
      const scale = d * (2 * ((word >> (3 * ((n >> 1) & 3))) & 7) + 1);
      const high = bytes[at + 32 + (n >> 1)]! >> ((n & 1) * 4);
      const point = bytes[at + n]! | ((high & 7) << 8);
      putPoint(point, scale, high & 8 ? -SHIFT : SHIFT, out, to + n * 8);
    }
  }
}

/** The word that the high nibbles of four words make, the first of them lowest. */
const scatteredF16 = (bytes: Uint8Array, at: number): number =>
  (bytes[at + 1]! >> 4) | (bytes[at + 3]! & 0xf0) | ((bytes[at + 5]! & 0xf0) << 4) | ((bytes[at + 7]! & 0xf0) << 8);

function putPoint(point: number, scale: number, shift: number, out: Float32Array, to: number): void {
  for (let j = 0; j < 8; j++) out[to + j] = scale * (IQ1_POINTS[point * 8 + j]! + shift);
}
