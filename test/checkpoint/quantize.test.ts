// Against SHA-256 sums of the blocks that llama.cpp's own ggml makes; made by test/fixtures/make-quantizers.py.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blockSize, byteLength, decode, encode } from "../../src/checkpoint/dtype.ts";
import { QUANTIZERS, type QuantizedDtype } from "../../src/checkpoint/quantize/index.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

const fixture = readJsonFixture<{
  rows: string[];
  values: string;
  importance: string;
  plain: Record<QuantizedDtype, string[]>;
  weighted: Record<QuantizedDtype, string[]>;
}>("quantizers.json");
const floatsOf = (text: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
const values = floatsOf(fixture.values);
const importance = floatsOf(fixture.importance);
const columns = importance.length;
const row = (index: number): Float32Array => values.subarray(index * columns, (index + 1) * columns);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const DTYPES = Object.keys(QUANTIZERS) as QuantizedDtype[];

describe.each(DTYPES)("%s", (dtype) => {
  test.each(fixture.rows.map((name, index) => [name, index] as const))("%s: the very blocks of ggml", (_, index) => {
    expect(sha256(encode(dtype, row(index)))).toBe(fixture.plain[dtype][index]);
    expect(sha256(encode(dtype, row(index), importance))).toBe(fixture.weighted[dtype][index]);
  });

  test("rows are quantized each on its own", () => {
    const apart = fixture.rows.map((_, index) => Buffer.from(encode(dtype, row(index), importance)));
    expect(Buffer.from(encode(dtype, values, importance))).toEqual(Buffer.concat(apart));
  });

  test("whatever the values, so many bytes and finite", () => {
    const magnitude = fc.constantFrom(0, 1e-40, 1e-20, 1e-7, 1, 1e4, 6e4);
    const block = fc.array(fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), magnitude), {
      minLength: 256,
      maxLength: 256,
    });
    fc.assert(
      fc.property(block, fc.boolean(), (drawn, isWeighted) => {
        const x = Float32Array.from(drawn, ([unit, scale]) => unit * scale);
        const bytes = encode(dtype, x, isWeighted ? importance.subarray(0, 256) : undefined);
        expect(bytes.length).toBe(byteLength(dtype, 256));
        expect(decode(dtype, bytes).every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

/** Mean of weight · error², by column. */
function errorOf(dtype: QuantizedDtype, x: Float32Array, weights: Float32Array, given?: Float32Array): number {
  const back = decode(dtype, encode(dtype, x, given));
  return x.reduce((sum, value, i) => sum + weights[i % weights.length]! * (back[i]! - value) ** 2, 0) / x.length;
}

test.each(DTYPES.filter((dtype) => dtype !== "Q8_0"))(
  "%s: importance makes errors smaller where they count",
  (dtype) => {
    const x = row(fixture.rows.indexOf("normal, with outliers"));
    expect(errorOf(dtype, x, importance, importance)).toBeLessThan(0.98 * errorOf(dtype, x, importance));
  },
);

test("more bits, smaller errors", () => {
  const even = new Float32Array(columns).fill(1);
  const x = row(fixture.rows.indexOf("normal, with outliers"));
  const byBits: QuantizedDtype[] = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0"];
  const errors = byBits.map((dtype) => errorOf(dtype, x, even));
  expect(errors).toEqual(errors.toSorted((a, b) => b - a));
  for (const [i, error] of errors.slice(1).entries()) expect(error).toBeLessThan(errors[i]! / 2);
});

test.each(DTYPES)("%s: rows that do not fit are refused", (dtype) => {
  const block = blockSize(dtype);
  expect(() => encode(dtype, new Float32Array(block - 1))).toThrow(RangeError);
  expect(() => encode(dtype, new Float32Array(3 * block), new Float32Array(2 * block))).toThrow(RangeError);
  expect(() => encode(dtype, new Float32Array(2 * block), new Float32Array(block / 2))).toThrow(RangeError);
});
