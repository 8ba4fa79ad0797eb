// 16-bit floats, IEEE half precision (f16) and bfloat16, to f32 and back. Typed arrays are taken to be
// little-endian, as the files are: so is every machine that Node runs on today.

/** A finite f32 of at least this magnitude becomes infinite in f16: half a step above 65504, its largest value. */
export const F16_OVERFLOW = 65520;
/** The same for bf16: half a step above its largest value, 2^128 − 2^120. */
export const BF16_OVERFLOW: number = 2 ** 128 - 2 ** 119;

/** The f32 value of each of the 65,536 f16 bit patterns: a look-up is many times faster than computing it. */
export const F16_VALUES: Float32Array = new Float32Array(65536).map((_, bits) => f16Value(bits));

/** The little-endian word at a position, which need not be even. */
export const readU16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);

/** The f16 value at a position. */
export const readF16 = (bytes: Uint8Array, at: number): number => F16_VALUES[readU16(bytes, at)]!;

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

/** The same for bf16. */
function bf16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN, made quiet so that its fraction is not 0
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Packed f16 of f32 values: nearest, ties to even; too large becomes infinite, NaN stays NaN. */
export const encodeF16 = (values: Float32Array): Uint8Array => encodeWords(values, roundToF16);

/** The same in bf16. */
export const encodeBF16 = (values: Float32Array): Uint8Array => encodeWords(values, roundToBF16);

function encodeWords(values: Float32Array, round: (bits: Uint32Array, out: Uint16Array) => void): Uint8Array {
  const out = new Uint16Array(values.length);
  round(new Uint32Array(values.buffer, values.byteOffset, values.length), out);
  return new Uint8Array(out.buffer);
}

// Two loops, so that the compiler can inline the one rounding that each of them does: three times faster.
function roundToF16(bits: Uint32Array, out: Uint16Array): void {
  for (let i = 0; i < out.length; i++) out[i] = f16Bits(bits[i]!);
}

function roundToBF16(bits: Uint32Array, out: Uint16Array): void {
  for (let i = 0; i < out.length; i++) out[i] = bf16Bits(bits[i]!);
}

/** Fills `out` from packed f16. */
export function decodeF16(bytes: Uint8Array, out: Float32Array): void {
  const packed = words(bytes);
  for (let i = 0; i < out.length; i++) out[i] = F16_VALUES[packed[i]!]!;
}

/** Fills `out` from packed bf16. */
export function decodeBF16(bytes: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const packed = words(bytes);
  for (let i = 0; i < out.length; i++) bits[i] = packed[i]! << 16;
}

/** The bytes as 16-bit words; copied only when they start at an odd address, which a Uint16Array cannot view. */
function words(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}
