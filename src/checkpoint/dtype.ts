// The element types of checkpoints: how many bytes they take, and how they become f32 and back.
import { dequantizeQ4KQ5K, dequantizeQ4Q5, dequantizeQ6K, dequantizeQ8 } from "./dequantize.ts";
import { bf16Bits, f16Bits, f16Values } from "./half.ts";
import { quantizeQ8 } from "./quantize.ts";

export type Dtype = "F32" | "F16" | "BF16" | "Q8_0" | "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q4_K" | "Q5_K" | "Q6_K";
/** The types with one value an element, which safetensors files hold. */
export type FloatDtype = "F32" | "F16" | "BF16";

/** The types that values can be written in. */
export type WritableDtype = FloatDtype | "Q8_0";

interface DtypeTraits {
  /** Elements that are stored together; 1 for floats. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** Fills `out` from exactly as many bytes as it needs. */
  readonly decode: (bytes: Uint8Array, out: Float32Array) => void;
}

const TRAITS: Readonly<Record<Dtype, DtypeTraits>> = {
  F32: { blockSize: 1, blockBytes: 4, decode: decodeF32 },
  F16: { blockSize: 1, blockBytes: 2, decode: decodeF16 },
  BF16: { blockSize: 1, blockBytes: 2, decode: decodeBF16 },
  Q8_0: { blockSize: 32, blockBytes: 34, decode: dequantizeQ8 },
  Q4_0: { blockSize: 32, blockBytes: 18, decode: (bytes, out) => dequantizeQ4Q5(bytes, out, 4, false) },
  Q4_1: { blockSize: 32, blockBytes: 20, decode: (bytes, out) => dequantizeQ4Q5(bytes, out, 4, true) },
  Q5_0: { blockSize: 32, blockBytes: 22, decode: (bytes, out) => dequantizeQ4Q5(bytes, out, 5, false) },
  Q5_1: { blockSize: 32, blockBytes: 24, decode: (bytes, out) => dequantizeQ4Q5(bytes, out, 5, true) },
  Q4_K: { blockSize: 256, blockBytes: 144, decode: (bytes, out) => dequantizeQ4KQ5K(bytes, out, 4) },
  Q5_K: { blockSize: 256, blockBytes: 176, decode: (bytes, out) => dequantizeQ4KQ5K(bytes, out, 5) },
  Q6_K: { blockSize: 256, blockBytes: 210, decode: dequantizeQ6K },
};

export const isFloatDtype = (dtype: string): dtype is FloatDtype =>
  dtype === "F32" || dtype === "F16" || dtype === "BF16";

/** Elements that are stored together: 1 for floats, 32 or 256 for quantized types. */
export const blockSize = (dtype: Dtype): number => TRAITS[dtype].blockSize;

/** Bytes that `elements` take. @throws {RangeError} when they do not fill whole blocks. */
export function byteLength(dtype: Dtype, elements: number): number {
  const { blockSize, blockBytes } = TRAITS[dtype];
  if (elements % blockSize !== 0) throw new RangeError(`${elements} elements do not fill blocks of ${blockSize}`);
  return (elements / blockSize) * blockBytes;
}

/** f32 values of packed elements. @throws {RangeError} when the bytes do not fill whole blocks. */
export function decode(dtype: Dtype, bytes: Uint8Array): Float32Array {
  const { blockSize, blockBytes } = TRAITS[dtype];
  if (bytes.length % blockBytes !== 0) throw new RangeError(`${bytes.length} bytes do not fill ${dtype} blocks`);
  const out = new Float32Array((bytes.length / blockBytes) * blockSize);
  TRAITS[dtype].decode(bytes, out);
  return out;
}

/** As `decode`, into an array that the caller owns. @throws {RangeError} when the sizes disagree. */
export function decodeInto(dtype: Dtype, bytes: Uint8Array, out: Float32Array): void {
  if (bytes.length !== byteLength(dtype, out.length))
    throw new RangeError(`${bytes.length} bytes are not ${out.length} elements of ${dtype}`);
  TRAITS[dtype].decode(bytes, out);
}

/**
 * Packed elements of f32 values: nearest, ties to even; too large for the type becomes infinite, NaN stays NaN.
 * @throws {RangeError} when the values do not fill whole blocks.
 */
export function encode(dtype: WritableDtype, values: Float32Array): Uint8Array {
  byteLength(dtype, values.length);
  if (dtype === "Q8_0") return quantizeQ8(values);
  if (dtype === "F32") return new Uint8Array(values.slice().buffer);
  return encode16(values, dtype === "F16" ? roundToF16 : roundToBF16);
}

function encode16(values: Float32Array, round: (bits: Uint32Array, out: Uint16Array) => void): Uint8Array {
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

function decodeF32(bytes: Uint8Array, out: Float32Array): void {
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
}

function decodeF16(bytes: Uint8Array, out: Float32Array): void {
  const table = f16Values();
  const halves = words(bytes);
  for (let i = 0; i < out.length; i++) out[i] = table[halves[i]!]!;
}

function decodeBF16(bytes: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const halves = words(bytes);
  for (let i = 0; i < out.length; i++) bits[i] = halves[i]! << 16;
}

/** The bytes as 16-bit words; copied only when they start at an odd address, which a Uint16Array cannot view. */
function words(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}
