import { expect, test } from "vitest";
import type { Speed } from "../../src/events/bench.ts";
import { benchTokens, speedRatios, spreadOf } from "../../src/tasks/bench.ts";

const speed = (rate: number): Speed => ({ prefill: rate, decode: rate / 2, peakBytes: 1000 / rate });

test("ratios are of the measurements of one repetition, so that a slow minute is in none of them", () => {
  const ratios = speedRatios([
    [speed(10), speed(1), speed(4)],
    [speed(20), speed(2), speed(8)],
  ]);
  expect(ratios.prefill).toEqual({ least: 2, median: 2, most: 2 });
  expect(ratios.decode).toEqual(ratios.prefill);
  expect(ratios.peakBytes).toEqual({ least: 0.5, median: 0.5, most: 0.5 });
});

test("the spread of an even number of figures has its median between the two in the middle", () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ least: 1, median: 2.5, most: 4 });
});

test("the tokens are in the vocabulary, and a longer prompt begins with a shorter one", () => {
  const tokens = benchTokens(50, 400);
  expect([...tokens].every((id) => id >= 0 && id < 50)).toBe(true);
  expect(new Set(tokens).size).toBeGreaterThan(40);
  expect(tokens.subarray(0, 10)).toEqual(benchTokens(50, 10));
});
