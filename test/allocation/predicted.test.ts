import { expect, test } from "vitest";
import { predictedDivergence } from "../../src/allocation/predicted.ts";

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
