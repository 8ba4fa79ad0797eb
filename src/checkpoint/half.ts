// 16-bit floats, IEEE half (f16) and bfloat16, to f32 and back. Typed arrays are little-endian here as in the files:
// every machine that this runs on is.

/** A finite f32 of at least this magnitude becomes infinite in f16: half a step above 65504, its largest value. */
export const F16_OVERFLOW = 65520;
/** The same for bf16: half a step above its largest value, 2^128 − 2^120. */
export const BF16_OVERFLOW: number = 2 ** 128 - 2 ** 119;

let f16Table: Float32Array | undefined;

/** The f32 value of each of the 65,536 f16 bit patterns: a look-up is many times faster than computing it. */
export function f16Values(): Float32Array {
  f16Table ??= Float32Array.from({ length: 65536 }, (_, bits) => f16Value(bits));
  return f16Table;
}

function f16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Bit pattern of the nearest f16, ties to even, given the bit pattern of an f32. */
export function f16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // F16_OVERFLOW or more
  if (magnitude >= 0x38800000) {
    // Normal: the exponent's bias goes from 127 to 15; a carry out of the fraction rightly raises the exponent.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  // Subnormal: an integer multiple of 2^-24; below 2^-25 there is nothing left to round up.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((fraction + (1 << (shift - 1)) - 1 + ((fraction >>> shift) & 1)) >>> shift);
}

/** Bit pattern of the nearest bf16, ties to even, given the bit pattern of an f32. */
export function bf16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN, made quiet so that its fraction is not 0
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
