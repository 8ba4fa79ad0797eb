import { expect, test } from "vitest";
import { standardized } from "../../src/allocation/standardized.ts";

test("scores get mean 0 and deviation 1, with n − 1 as torch has it", () => {
  // mean 5, squared deviations 9 + 1 + 1 + 9 = 20, deviation √(20 / 3)
  const deviation = Math.sqrt(20 / 3);
  expect([...standardized(Float64Array.of(2, 4, 6, 8))]).toEqual([-3, -1, 1, 3].map((gap) => gap / deviation));
});

test("equal scores are all 0", () => expect([...standardized(Float64Array.of(3, 3))]).toEqual([0, 0]));
