import { expect, test } from "vitest";
import { BlockInfluence } from "../../src/importance/block-influence.ts";

function influence(before: number[], after: number[]): number {
  const sum = new BlockInfluence(2);
  sum.add(Float32Array.from(before), Float32Array.from(after));
  return sum.mean;
}

test("scaling a state counts for nothing, a quarter turn for 1, a half turn for 2", () => {
  expect(influence([1, 2], [3, 6])).toBeCloseTo(0, 12);
  expect(influence([1, 0], [0, 5])).toBe(1);
  expect(influence([1, 2], [-1, -2])).toBeCloseTo(2, 12);
});

test("is the mean over the tokens", () => {
  expect(influence([1, 0, 1, 0, 1, 0], [1, 0, 0, 1, -1, 0])).toBe((0 + 1 + 2) / 3);
});

test("is the same when the tokens come in parts", () => {
  const sum = new BlockInfluence(2);
  sum.add(Float32Array.of(1, 0), Float32Array.of(2, 1));
  sum.add(Float32Array.of(1, 3, 0, 1), Float32Array.of(0, 1, 5, 5));
  expect(sum.mean).toBe(influence([1, 0, 1, 3, 0, 1], [2, 1, 0, 1, 5, 5]));
});

test("a token that is zero counts as unturned", () => expect(influence([0, 0], [1, 1])).toBe(0));
