// ggml's IQ4 types: four bits that name one of 16 values, which lie denser around zero.
import { readF16 } from "../float16.ts";

/** The values that the four bits stand for. */
export const IQ4_VALUES: Int8Array = Int8Array.from([
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]);

/** IQ4_NL: f16 d, 32 × 4 bits q, those of the first half in the low halves of the bytes; value d·IQ4_VALUES[q]. */
export function dequantizeIQ4NL(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 18, to += 32)
    putThirtyTwo(bytes, at + 2, readF16(bytes, at), out, to);
}

/** IQ4_XS: f16 d, eight 6-bit scales (8 × high 2 bits, then 8 × low 4), 256 × 4 bits q in the order of IQ4_NL; a scale for 32. */
export function dequantizeIQ4XS(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 136, to += 256) {
    const d = readF16(bytes, at);
    for (let s = 0; s < 8; s++) {
      const high = (bytes[at + 2 + (s >> 2)]! >> ((s & 3) * 2)) & 3;
      const low = (bytes[at + 4 + (s >> 1)]! >> ((s & 1) * 4)) & 15;
      putThirtyTwo(bytes, at + 8 + s * 16, d * ((low | (high << 4)) - 32), out, to + s * 32);
    }
  }
}

function putThirtyTwo(bytes: Uint8Array, at: number, scale: number, out: Float32Array, to: number): void {
  for (let j = 0; j < 16; j++) {
    const pair = bytes[at + j]!;
    out[to + j] = scale * IQ4_VALUES[pair & 15]!;
    out[to + 16 + j] = scale * IQ4_VALUES[pair >> 4]!;
  }
}
