import { Float16Array } from "@petamoriken/float16";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode } from "../../src/checkpoint/dtype.ts";
import { BF16_OVERFLOW, F16_OVERFLOW, F16_VALUES } from "../../src/checkpoint/float16.ts";

const f32 = (bits: number[]): Float32Array => new Float32Array(Uint32Array.from(bits).buffer);
const words = (bytes: Uint8Array): number[] =>
  Array.from(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2));
const anyBits = fc.array(fc.nat({ max: 0xffffffff }), { minLength: 1, maxLength: 64 });

describe("f16", () => {
  test("every bit pattern decodes as @petamoriken/float16 does", () => {
    const expected = Float32Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer));
    expect(F16_VALUES).toEqual(expected);
  });

  test("every finite value survives a round trip, subnormals and −0 included", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((b) => (b & 0x7c00) !== 0x7c00);
    expect(words(encode("F16", decode("F16", new Uint8Array(bits.buffer))))).toEqual(Array.from(bits));
  });

  test("any f32 encodes as @petamoriken/float16 does", () => {
    fc.assert(
      fc.property(anyBits, (bits) => {
        const values = f32(bits);
        expect(decode("F16", encode("F16", values))).toEqual(Float32Array.from(Float16Array.from(values)));
      }),
    );
  });

  test("ties between two neighbours go to the even one, everywhere on the scale", () => {
    const ties = Float32Array.from({ length: 0x7bff }, (_, i) => (F16_VALUES[i]! + F16_VALUES[i + 1]!) / 2);
    expect(words(encode("F16", ties))).toEqual(Array.from(ties, (_, i) => (i % 2 === 0 ? i : i + 1)));
  });

  test("overflow begins at the named limit", () => {
    const values = Float32Array.of(65504, 65519.996, F16_OVERFLOW, -F16_OVERFLOW);
    expect(words(encode("F16", values))).toEqual([0x7bff, 0x7bff, 0x7c00, 0xfc00]);
  });
});

describe("bf16", () => {
  test("rounds to nearest, ties to even", () => {
    const values = f32([0x3f800000, 0x3f808000, 0x3f808001, 0x3f818000, 0xbf818000, 0x00000001, 0x80000000]);
    expect(words(encode("BF16", values))).toEqual([0x3f80, 0x3f80, 0x3f81, 0x3f82, 0xbf82, 0x0000, 0x8000]);
  });

  test("overflow begins at the named limit, and NaN stays NaN", () => {
    const values = Float32Array.of(BF16_OVERFLOW, -BF16_OVERFLOW, Number.POSITIVE_INFINITY, Number.NaN);
    expect(Array.from(decode("BF16", encode("BF16", values)))).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]);
    expect(words(encode("BF16", f32([0x7f7f7fff, 0x7f800001])))).toEqual([0x7f7f, 0x7fc0]);
  });

  test("every bf16 value survives a round trip", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((b) => (b & 0x7fff) <= 0x7f80);
    expect(words(encode("BF16", decode("BF16", new Uint8Array(bits.buffer))))).toEqual(Array.from(bits));
  });
});
