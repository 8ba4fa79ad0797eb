// ggml's IQ2 and IQ3 types: 8 or 4 magnitudes are a point of a grid, their signs are stored beside it; value ±scale·magnitude.
import { readF16, readU16 } from "../float16.ts";
import { IQ2_S_POINTS, IQ2_XS_POINTS, IQ2_XXS_POINTS, IQ3_S_POINTS, IQ3_XXS_POINTS } from "./grids.ts";

const BLOCK = 256;

/** The factors 1 and −1 for 8 values by the byte of their signs, whose set bits are negative, the lowest first. */
const SIGNS: Int8Array = new Int8Array(256 * 8).map((_, i) => ((i >> 3) & (1 << (i & 7)) ? -1 : 1));

/** IQ2_XXS, IQ2_XS and IQ3_XXS store seven signs of eight; the number of negative ones is even. */
const EVEN_SIGNS: Uint8Array = new Uint8Array(128).map((_, seven) => {
  let odd = 0;
  for (let bits = seven; bits > 0; bits >>= 1) odd ^= bits & 1;
  return seven | (odd << 7);
});

/** IQ2_XXS: f16 d, 8 × (4 × 8-bit point, 4 × 7 signs, 4 bits scale s), each for 32 values; scale d·(2s + 1)/8. */
export function dequantizeIQ2XXS(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 66, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let group = 0; group < 8; group++) {
      const points = at + 2 + group * 8;
      const signs = readU16(bytes, points + 4) | (readU16(bytes, points + 6) << 16);
      const scale = (d * (2 * (signs >>> 28) + 1)) / 8;
      for (let n = 0; n < 4; n++)
        putEight(
          IQ2_XXS_POINTS,
          bytes[points + n]!,
          EVEN_SIGNS[(signs >> (7 * n)) & 127]!,
          scale,
          out,
          to + group * 32 + n * 8,
        );
    }
  }
}

/** IQ2_XS: f16 d, 32 × (9-bit point, 7 signs), 16 × 4 bits scale s, each for 16 values; scale d·(2s + 1)/8. */
export function dequantizeIQ2XS(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 74, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let n = 0; n < 32; n++) {
      const word = readU16(bytes, at + 2 + n * 2);
      const scale = (d * (2 * nibble(bytes, at + 66, n >> 1) + 1)) / 8;
      putEight(IQ2_XS_POINTS, word & 511, EVEN_SIGNS[word >> 9]!, scale, out, to + n * 8);
    }
  }
}

/** IQ2_S: f16 d, 32 × low 8 bits of a point, 32 × 8 signs, 32 × high 2 bits, 16 × 4 bits scale s as in IQ2_XS. */
export function dequantizeIQ2S(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 82, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let n = 0; n < 32; n++) {
      const high = (bytes[at + 66 + (n >> 2)]! >> ((n & 3) * 2)) & 3;
      const scale = (d * (2 * nibble(bytes, at + 74, n >> 1) + 1)) / 8;
      putEight(IQ2_S_POINTS, bytes[at + 2 + n]! | (high << 8), bytes[at + 34 + n]!, scale, out, to + n * 8);
    }
  }
}

/** IQ3_XXS: f16 d, 64 × 8-bit point of 4 values, 8 × (4 × 7 signs, 4 bits scale s), each for 32 values; scale d·(2s + 1)/4. */
export function dequantizeIQ3XXS(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 98, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let group = 0; group < 8; group++) {
      const word = at + 66 + group * 4;
      const signs = readU16(bytes, word) | (readU16(bytes, word + 2) << 16);
      const scale = (d * (2 * (signs >>> 28) + 1)) / 4;
      for (let n = 0; n < 4; n++) {
        const points = at + 2 + group * 8 + n * 2;
        const eight = EVEN_SIGNS[(signs >> (7 * n)) & 127]!;
        putTwiceFour(IQ3_XXS_POINTS, bytes[points]!, bytes[points + 1]!, eight, scale, out, to + group * 32 + n * 8);
      }
    }
  }
}

/** IQ3_S: f16 d, 64 × low 8 bits of a point of 4 values, 64 × high bit, 32 × 8 signs, 8 × 4 bits scale s; scale d·(2s + 1). */
export function dequantizeIQ3S(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 110, to += BLOCK) {
    const d = readF16(bytes, at);
    for (let n = 0; n < 32; n++) {
      const scale = d * (2 * nibble(bytes, at + 106, n >> 2) + 1);
      const high = bytes[at + 66 + (n >> 2)]! >> ((n & 3) * 2);
      const first = bytes[at + 2 + n * 2]! | ((high & 1) << 8);
      const second = bytes[at + 3 + n * 2]! | ((high & 2) << 7);
      putTwiceFour(IQ3_S_POINTS, first, second, bytes[at + 74 + n]!, scale, out, to + n * 8);
    }
  }
}

/** The `n`-th of nibbles, low halves first. */
const nibble = (bytes: Uint8Array, at: number, n: number): number => (bytes[at + (n >> 1)]! >> ((n & 1) * 4)) & 15;

function putEight(points: Int8Array, point: number, signs: number, scale: number, out: Float32Array, to: number): void {
  for (let j = 0; j < 8; j++) out[to + j] = scale * points[point * 8 + j]! * SIGNS[signs * 8 + j]!;
}

function putTwiceFour(
  points: Int8Array,
  first: number,
  second: number,
  signs: number,
  scale: number,
  out: Float32Array,
  to: number,
): void {
  for (let j = 0; j < 4; j++) {
    out[to + j] = scale * points[first * 4 + j]! * SIGNS[signs * 8 + j]!;
    out[to + 4 + j] = scale * points[second * 4 + j]! * SIGNS[signs * 8 + 4 + j]!;
  }
}
