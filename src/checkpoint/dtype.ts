// The element types of checkpoints: how many bytes they take, and how they become f32 and back.
import {
  dequantizeQ4Centred,
  dequantizeQ4WithMinimum,
  dequantizeQ5Centred,
  dequantizeQ5WithMinimum,
  dequantizeQ8,
} from "./dequantize/blocks-of-32.ts";
import { dequantizeMXFP4, dequantizeNVFP4 } from "./dequantize/fp4.ts";
import { dequantizeIQ1M, dequantizeIQ1S } from "./dequantize/iq1.ts";
import {
  dequantizeIQ2S,
  dequantizeIQ2XS,
  dequantizeIQ2XXS,
  dequantizeIQ3S,
  dequantizeIQ3XXS,
} from "./dequantize/iq2-iq3.ts";
import { dequantizeIQ4NL, dequantizeIQ4XS } from "./dequantize/iq4.ts";
import { dequantizeQ2K, dequantizeQ3K, dequantizeQ4K, dequantizeQ5K, dequantizeQ6K } from "./dequantize/k-quants.ts";
import { dequantizeTQ1, dequantizeTQ2 } from "./dequantize/ternary.ts";
import { decodeBF16, decodeF16, encodeBF16, encodeF16 } from "./float16.ts";
import { QUANTIZERS, type QuantizedDtype } from "./quantize/index.ts";
import { decodeE2M1, decodeE4M3, decodeE8M0 } from "./small-floats.ts";

export type Dtype =
  | WritableDtype
  | "IQ1_S"
  | "IQ1_M"
  | "IQ2_XXS"
  | "IQ2_XS"
  | "IQ2_S"
  | "IQ3_XXS"
  | "IQ3_S"
  | "TQ1_0"
  | "TQ2_0"
  | "MXFP4"
  | "NVFP4"
  | "F8_E4M3"
  | "F8_E8M0"
  | "F4"
  | "U8";
/** The types whose values need nothing else to be read, which safetensors files hold. */
export type FloatDtype = "F32" | "F16" | "BF16";

/** The types that values can be written in. */
export type WritableDtype = FloatDtype | QuantizedDtype;

interface DtypeTraits {
  /** Elements that are stored together; 1 where each has bytes of its own. */
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
  Q4_0: { blockSize: 32, blockBytes: 18, decode: dequantizeQ4Centred },
  Q4_1: { blockSize: 32, blockBytes: 20, decode: dequantizeQ4WithMinimum },
  Q5_0: { blockSize: 32, blockBytes: 22, decode: dequantizeQ5Centred },
  Q5_1: { blockSize: 32, blockBytes: 24, decode: dequantizeQ5WithMinimum },
  Q2_K: { blockSize: 256, blockBytes: 84, decode: dequantizeQ2K },
  Q3_K: { blockSize: 256, blockBytes: 110, decode: dequantizeQ3K },
  Q4_K: { blockSize: 256, blockBytes: 144, decode: dequantizeQ4K },
  Q5_K: { blockSize: 256, blockBytes: 176, decode: dequantizeQ5K },
  Q6_K: { blockSize: 256, blockBytes: 210, decode: dequantizeQ6K },
  IQ1_S: { blockSize: 256, blockBytes: 50, decode: dequantizeIQ1S },
  IQ1_M: { blockSize: 256, blockBytes: 56, decode: dequantizeIQ1M },
  IQ2_XXS: { blockSize: 256, blockBytes: 66, decode: dequantizeIQ2XXS },
  IQ2_XS: { blockSize: 256, blockBytes: 74, decode: dequantizeIQ2XS },
  IQ2_S: { blockSize: 256, blockBytes: 82, decode: dequantizeIQ2S },
  IQ3_XXS: { blockSize: 256, blockBytes: 98, decode: dequantizeIQ3XXS },
  IQ3_S: { blockSize: 256, blockBytes: 110, decode: dequantizeIQ3S },
  IQ4_NL: { blockSize: 32, blockBytes: 18, decode: dequantizeIQ4NL },
  IQ4_XS: { blockSize: 256, blockBytes: 136, decode: dequantizeIQ4XS },
  TQ1_0: { blockSize: 256, blockBytes: 54, decode: dequantizeTQ1 },
  TQ2_0: { blockSize: 256, blockBytes: 66, decode: dequantizeTQ2 },
  MXFP4: { blockSize: 32, blockBytes: 17, decode: dequantizeMXFP4 },
  NVFP4: { blockSize: 64, blockBytes: 36, decode: dequantizeNVFP4 },
  F8_E4M3: { blockSize: 1, blockBytes: 1, decode: decodeE4M3 },
  F8_E8M0: { blockSize: 1, blockBytes: 1, decode: decodeE8M0 },
  F4: { blockSize: 2, blockBytes: 1, decode: decodeE2M1 },
  U8: { blockSize: 1, blockBytes: 1, decode: (bytes, out) => out.set(bytes) },
};

export const isFloatDtype = (dtype: string): dtype is FloatDtype =>
  dtype === "F32" || dtype === "F16" || dtype === "BF16";

/** Whether values can be written in a type. */
export const isWritable = (dtype: Dtype): dtype is WritableDtype => isFloatDtype(dtype) || dtype in QUANTIZERS;

/** Elements that are stored together: 1 for most floats, 2 for those of four bits, 32, 64 or 256 for ggml's quantized types. */
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
 * Packed elements of f32 values. Floats: nearest, ties to even; too large for the type becomes infinite, NaN stays NaN. Quantized:
 * as ggml-quants.c has them; `importance` is what an error in each column of a row weighs, positive, without it all the same.
 * @throws {RangeError} when the values do not fill whole blocks, or whole rows of as many columns as there is importance.
 */
export function encode(dtype: WritableDtype, values: Float32Array, importance?: Float32Array): Uint8Array {
  const bytes = byteLength(dtype, values.length);
  if (dtype === "F32") return new Uint8Array(values.slice().buffer);
  if (dtype === "F16") return encodeF16(values);
  if (dtype === "BF16") return encodeBF16(values);
  if (importance) checkRows(dtype, values.length, importance.length);
  const out = new Uint8Array(bytes);
  QUANTIZERS[dtype](values, out, importance);
  return out;
}

function checkRows(dtype: Dtype, elements: number, columns: number): void {
  byteLength(dtype, columns);
  if (elements % columns !== 0) throw new RangeError(`${elements} elements do not fill rows of ${columns}`);
}

function decodeF32(bytes: Uint8Array, out: Float32Array): void {
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
}
