// Four-bit floats (E2M1) with a scale for a block, as ggml stores them.
// Formats: OCP Microscaling Formats (MX) 1.0 for MXFP4; NVFP4 has scales of its own.
import { E2M1 } from "../small-floats.ts";

/** Twice the values of E2M1, which are whole; ggml has no negative zero. */
const DOUBLED: Int8Array = Int8Array.from(E2M1, (value) => 2 * value);

/** Half the scale of each byte of MXFP4, 2^(e − 127); ggml gives 255 no meaning of its own. */
const HALF_E8M0: Float32Array = new Float32Array(256).map((_, e) => 2 ** (e - 128));

/** Half the scale of each byte of NVFP4, a positive E4M3 float; ggml takes NaN (127) for zero and ignores the sign. */
const HALF_E4M3: Float32Array = new Float32Array(256).map((_, bits) => {
  if (bits === 127) return 0;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  return exponent === 0 ? fraction * 2 ** -10 : (8 + fraction) * 2 ** (exponent - 11);
});

/** MXFP4: a byte of scale, 32 × 4 bits, those of the first half in the low halves of the bytes. */
export function dequantizeMXFP4(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 17, to += 32)
    putBlock(bytes, at + 1, 16, HALF_E8M0[bytes[at]!]!, out, to);
}

/** NVFP4: 4 bytes of scales, for each of them 16 × 4 bits in the order of MXFP4. */
export function dequantizeNVFP4(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += 36, to += 64)
    for (let s = 0; s < 4; s++) putBlock(bytes, at + 4 + s * 8, 8, HALF_E4M3[bytes[at + s]!]!, out, to + s * 16);
}

function putBlock(bytes: Uint8Array, at: number, count: number, scale: number, out: Float32Array, to: number): void {
  for (let j = 0; j < count; j++) {
    const pair = bytes[at + j]!;
    out[to + j] = scale * DOUBLED[pair & 15]!;
    out[to + count + j] = scale * DOUBLED[pair >> 4]!;
  }
}
