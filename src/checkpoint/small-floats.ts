// Floats of eight and four bits, in which safetensors files hold quantized weights and their scales.
// Formats: OCP 8-bit Floating Point Specification for E4M3; OCP Microscaling Formats (MX) 1.0 for E8M0 and E2M1.

/** E4M3 by its bits: no infinity, and NaN only where all but the sign is set. */
const E4M3: Float32Array = new Float32Array(256).map((_, bits) => {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10));
});

/** E8M0, powers of two, by its bits. */
const E8M0: Float32Array = new Float32Array(256).map((_, bits) => (bits === 255 ? Number.NaN : 2 ** (bits - 127)));

/** E2M1 by its bits. */
export const E2M1: Float32Array = Float32Array.from([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6]);

/** Fills `out` from E4M3. */
export const decodeE4M3 = (bytes: Uint8Array, out: Float32Array): void => lookUp(E4M3, bytes, out);

/** Fills `out` from E8M0. */
export const decodeE8M0 = (bytes: Uint8Array, out: Float32Array): void => lookUp(E8M0, bytes, out);

/** Fills `out` from E2M1, two to a byte, the first in the low half. */
export function decodeE2M1(bytes: Uint8Array, out: Float32Array): void {
  for (let i = 0; i < bytes.length; i++) {
    out[2 * i] = E2M1[bytes[i]! & 15]!;
    out[2 * i + 1] = E2M1[bytes[i]! >> 4]!;
  }
}

function lookUp(values: Float32Array, bytes: Uint8Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = values[bytes[i]!]!;
}
