import { expect, test } from "vitest";
import { continuedCosts, predictedDivergence } from "../../src/allocation/predicted.ts";

const costs = { neurons: Float64Array.of(1, 2, 3), restOfMlp: 10, heads: Float64Array.of(20, 40) };
const full = { intermediateSize: 4, numAttentionHeads: 4, numKeyValueHeads: 2 };

test.each([
  ["nothing", {}, 0],
  ["two neurons", { intermediateSize: 2 }, 3],
  ["the whole MLP", { intermediateSize: 0 }, 16],
  ["a query head of each group", { numAttentionHeads: 2 }, 20],
  ["the whole attention and a neuron", { intermediateSize: 3, numAttentionHeads: 0, numKeyValueHeads: 0 }, 61],
])("%s", (_, cut, expected) => {
  expect(predictedDivergence(costs, full, { ...full, ...cut })).toBe(expected);
});

test("costs go on as they grew, and end where they are told", () => {
  const measured = Float64Array.from({ length: 160 }, (_, i) => 1.01 ** i);
  const continued = continuedCosts(measured, 200);
  expect(continued.subarray(0, 160)).toEqual(measured);
  continued.subarray(160).forEach((cost, i) => {
    expect(cost / 1.01 ** (160 + i)).toBeCloseTo(1, 2);
  });
  expect(continuedCosts(measured, 100)).toEqual(measured.subarray(0, 100));
});

test("costs that fall, or that are nothing, go on level", () => {
  expect(continuedCosts(Float64Array.of(3, 2, 1), 5)).toEqual(Float64Array.of(3, 2, 1, 1, 1));
  expect(continuedCosts(new Float64Array(2), 4)).toEqual(new Float64Array(4));
});
