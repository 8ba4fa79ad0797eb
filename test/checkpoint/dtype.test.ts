import { describe, expect, test } from "vitest";
import { byteLength, type Dtype, decode, decodeInto, encode } from "../../src/checkpoint/dtype.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

// Values of the gguf Python package; made by test/fixtures/make-quantized.py.
interface Quantized {
  dequantized: Record<string, { bytes: string; values: string }>;
  quantizedQ8: { bytes: string; values: string };
}
const fixture = readJsonFixture<Quantized>("quantized.json");
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const floatsOf = (text: string): Float32Array => new Float32Array(bytesOf(text).buffer);
const plainZeros = (values: Float32Array): Float32Array => values.map((x) => (x === 0 ? 0 : x));

describe("quantized blocks", () => {
  test.each(Object.keys(fixture.dequantized))("%s decodes to the very values of ggml", (dtype) => {
    const { bytes, values } = fixture.dequantized[dtype]!;
    expect(plainZeros(decode(dtype as Dtype, bytesOf(bytes)))).toEqual(plainZeros(floatsOf(values)));
  });

  test("Q8_0 encodes to the very bytes of ggml's reference", () => {
    expect(encode("Q8_0", floatsOf(fixture.quantizedQ8.values))).toEqual(bytesOf(fixture.quantizedQ8.bytes));
  });
});

describe("sizes", () => {
  test.each<[Dtype, number]>([
    ["F32", 1024],
    ["F16", 512],
    ["BF16", 512],
    ["Q8_0", 272],
    ["Q4_0", 144],
    ["Q4_1", 160],
    ["Q5_0", 176],
    ["Q5_1", 192],
    ["Q2_K", 84],
    ["Q3_K", 110],
    ["Q4_K", 144],
    ["Q5_K", 176],
    ["Q6_K", 210],
    ["IQ1_S", 50],
    ["IQ1_M", 56],
    ["IQ2_XXS", 66],
    ["IQ2_XS", 74],
    ["IQ2_S", 82],
    ["IQ3_XXS", 98],
    ["IQ3_S", 110],
    ["IQ4_NL", 144],
    ["IQ4_XS", 136],
    ["TQ1_0", 54],
    ["TQ2_0", 66],
    ["MXFP4", 136],
    ["NVFP4", 144],
  ])("256 elements of %s take %i bytes", (dtype, bytes) => {
    expect(byteLength(dtype, 256)).toBe(bytes);
  });

  test("elements that do not fill whole blocks are refused", () => {
    expect(() => byteLength("Q4_K", 128)).toThrow(RangeError);
    expect(() => encode("Q8_0", new Float32Array(31))).toThrow(RangeError);
    expect(() => decode("Q8_0", new Uint8Array(33))).toThrow(RangeError);
    expect(() => decodeInto("F16", new Uint8Array(4), new Float32Array(3))).toThrow(RangeError);
  });
});

describe("floats", () => {
  test("of eight bits are NaN where their formats say so", () => {
    expect([...decode("F8_E4M3", Uint8Array.of(0x7f, 0xff, 0x7e, 0xfe))]).toEqual([NaN, NaN, 448, -448]);
    expect([...decode("F8_E8M0", Uint8Array.of(255, 127, 0))]).toEqual([NaN, 1, 2 ** -127]);
  });

  test("bytes at an odd address decode like any others", () => {
    const values = Float32Array.of(1, -2.5, 0.125);
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const odd = new Uint8Array(1 + encode(dtype, values).length);
      odd.set(encode(dtype, values), 1);
      expect(decode(dtype, odd.subarray(1))).toEqual(values);
    }
  });

  test("encoding a part of an array leaves the rest out", () => {
    const values = Float32Array.of(1, 2, 3, 4);
    for (const dtype of ["F32", "F16", "BF16"] as const)
      expect(decode(dtype, encode(dtype, values.subarray(1, 3)))).toEqual(Float32Array.of(2, 3));
  });
});
