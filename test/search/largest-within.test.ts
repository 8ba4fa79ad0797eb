import { describe, expect, test } from "vitest";
import { largestWithin } from "../../src/search/largest-within.ts";

/** Runs a search on a cost that is known. */
async function search(cost: (value: number) => number, most = 0.5, tolerance = 0.01) {
  const tried: number[] = [];
  const found = await largestWithin(most, tolerance, async (value) => {
    tried.push(value);
    return cost(value);
  });
  return { found, tried };
}

describe("the largest value within the limit", () => {
  test.each([0.02, 0.1, 0.2, 0.333, 0.49])("is found at %f to within the tolerance, from below", async (limit) => {
    const { found, tried } = await search((value) => (value / limit) ** 2.4);
    expect(found).toBeLessThanOrEqual(limit);
    expect(found).toBeGreaterThan(limit - 0.011);
    expect(tried.length).toBeLessThan(7);
  });

  test("is found where the cost rises suddenly", async () => {
    const { found } = await search((value) => (value < 0.237 ? 0.1 : 50));
    expect(found).toBeGreaterThan(0.226);
    expect(found).toBeLessThan(0.237);
  });

  test("is the most that may be tried when that is still within the limit", async () => {
    expect(await search(() => 0.3)).toMatchObject({ found: 0.5 });
    expect(await search(() => 0)).toMatchObject({ found: 0.5 });
  });

  test("is nothing when every value is too expensive, even at an infinite cost", async () => {
    const { found, tried } = await search(() => Number.POSITIVE_INFINITY);
    expect(found).toBe(0);
    expect(Math.min(...tried)).toBeLessThanOrEqual(0.02);
  });

  test("never tries a value beyond the most", async () => {
    const { tried } = await search((value) => value, 0.12);
    expect(Math.max(...tried)).toBeLessThanOrEqual(0.12);
  });

  test("is asked for no more often than ten times, and never measured again once the most is within", async () => {
    const { tried } = await search((value) => (value < 0.0001 ? 0 : 2), 0.5, 1e-9);
    expect(tried).toHaveLength(10);
    expect((await search(() => 0.9, 0.15)).tried).toEqual([0.15]);
  });

  test("begins at a fifth, and goes where the cost grows with the square", async () => {
    const { tried } = await search((value) => (value / 0.3) ** 2);
    expect(tried[0]).toBe(0.2);
    expect(tried[1]).toBeCloseTo(0.3, 12);
  });

  test("ends with an error of a measurement", async () => {
    const failing = largestWithin(0.5, 0.01, () => Promise.reject(new Error("no memory")));
    await expect(failing).rejects.toThrow("no memory");
  });
});
