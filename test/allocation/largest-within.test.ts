import { describe, expect, test } from "vitest";
import { largestWithin } from "../../src/allocation/largest-within.ts";

/** Runs a search on a cost that is known. */
function search(cost: (value: number) => number, most = 0.5, tolerance = 0.01): { found: number; tried: number[] } {
  const tried: number[] = [];
  const steps = largestWithin(most, tolerance);
  for (let step = steps.next(); ; ) {
    if (step.done) return { found: step.value, tried };
    tried.push(step.value);
    step = steps.next(cost(step.value));
  }
}

describe("the largest value within the limit", () => {
  test.each([0.02, 0.1, 0.2, 0.333, 0.49])("is found at %f to within the tolerance, from below", (limit) => {
    const { found, tried } = search((value) => (value / limit) ** 2.4);
    expect(found).toBeLessThanOrEqual(limit);
    expect(found).toBeGreaterThan(limit - 0.011);
    expect(tried.length).toBeLessThan(7);
  });

  test("is found where the cost rises suddenly", () => {
    const { found } = search((value) => (value < 0.237 ? 0.1 : 50));
    expect(found).toBeGreaterThan(0.226);
    expect(found).toBeLessThan(0.237);
  });

  test("is the most that may be tried when that is still within the limit", () => {
    expect(search(() => 0.3)).toMatchObject({ found: 0.5 });
    expect(search(() => 0)).toMatchObject({ found: 0.5 });
  });

  test("is nothing when every value is too dear, even at an infinite cost", () => {
    const { found, tried } = search(() => Number.POSITIVE_INFINITY);
    expect(found).toBe(0);
    expect(Math.min(...tried)).toBeLessThanOrEqual(0.02);
  });

  test("never tries a value beyond the most", () => {
    const { tried } = search((value) => value, 0.12);
    expect(Math.max(...tried)).toBeLessThanOrEqual(0.12);
  });
});
