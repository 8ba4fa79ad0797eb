// Against SHA-256 sums of what the gguf Python package computes for the same pseudo-random blocks; made by
// test/fixtures/make-dequantized.py.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  IQ1_POINTS,
  IQ2_S_POINTS,
  IQ2_XS_POINTS,
  IQ2_XXS_POINTS,
  IQ3_S_POINTS,
  IQ3_XXS_POINTS,
} from "../../src/checkpoint/dequantize/grids.ts";
import { blockSize, byteLength, type Dtype, decode } from "../../src/checkpoint/dtype.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

const fixture = readJsonFixture<{
  /** `scales`: where the high byte of each f16 scale of a block is. */
  values: Record<string, { scales: number[]; sha256: string }>;
  grids: Record<string, string>;
}>("dequantized.json");
const BLOCKS = 256;

const sha256 = (values: Float32Array | Int8Array): string =>
  createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");

/** Bytes of a linear congruential generator, with scales that are finite. */
function randomBlocks(dtype: Dtype, scales: readonly number[]): Uint8Array {
  const size = byteLength(dtype, blockSize(dtype));
  let state = 1;
  return new Uint8Array(BLOCKS * size).map((_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scales.includes(i % size) ? (state >>> 24) & 0xbf : state >>> 24;
  });
}

test.each(Object.entries(fixture.values))("%s decodes to the very bits of the gguf package", (dtype, expected) => {
  const values = decode(dtype as Dtype, randomBlocks(dtype as Dtype, expected.scales));
  expect(values.some(Number.isNaN)).toBe(false);
  expect(sha256(values)).toBe(expected.sha256);
});

test.each<[string, Int8Array]>([
  ["IQ1", IQ1_POINTS],
  ["IQ2_XXS", IQ2_XXS_POINTS],
  ["IQ2_XS", IQ2_XS_POINTS],
  ["IQ2_S", IQ2_S_POINTS],
  ["IQ3_XXS", IQ3_XXS_POINTS],
  ["IQ3_S", IQ3_S_POINTS],
])("the grid of %s has the points of ggml, in their order", (name, points) => {
  expect(sha256(points)).toBe(fixture.grids[name]);
});
