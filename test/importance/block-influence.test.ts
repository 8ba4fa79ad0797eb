import { expect, test } from "vitest";
import { addInfluence, meanInfluence, noInfluence } from "../../src/importance/block-influence.ts";

const influence = (before: number[], after: number[], hiddenSize = 2): number =>
  meanInfluence(addInfluence(noInfluence, Float32Array.from(before), Float32Array.from(after), hiddenSize));

test("scaling a state counts for nothing, a quarter turn for 1, a half turn for 2", () => {
  expect(influence([1, 2], [3, 6])).toBeCloseTo(0, 12);
  expect(influence([1, 0], [0, 5])).toBe(1);
  expect(influence([1, 2], [-1, -2])).toBeCloseTo(2, 12);
});

test("is the mean over the tokens of all batches", () => {
  const first = addInfluence(noInfluence, Float32Array.of(1, 0, 1, 0), Float32Array.of(1, 0, 0, 1), 2);
  const both = addInfluence(first, Float32Array.of(1, 0), Float32Array.of(-1, 0), 2);
  expect(both.tokens).toBe(3);
  expect(meanInfluence(both)).toBe((0 + 1 + 2) / 3);
});

test("a token that is zero counts as unturned", () => expect(influence([0, 0], [1, 1])).toBe(0));
