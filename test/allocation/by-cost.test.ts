import { expect, test } from "vitest";
import { mostRemovable, widthsByCost } from "../../src/allocation/by-cost.ts";

const curve = (...costs: number[]): Float64Array => Float64Array.from(costs);

test("the cheapest neurons go, whichever layer they are in", () => {
  expect(widthsByCost([curve(1, 5, 9), curve(2, 3, 4)], [4, 4], 3, 1)).toEqual([3, 2]);
});

test("nothing dear is passed to reach something cheap behind it", () => {
  // The second neuron of the first layer costs 0 only after one that costs 9.
  expect(widthsByCost([curve(9, 0, 0), curve(5, 6, 7)], [4, 4], 3, 1)).toEqual([4, 1]);
});

test("widths are multiples of the step, and at least as many neurons go as asked", () => {
  const widths = widthsByCost([curve(...new Array(75).fill(1)), curve(...new Array(75).fill(2))], [100, 100], 40, 32);
  expect(widths.every((width) => width % 32 === 0 || width === 100)).toBe(true);
  expect(200 - widths[0]! - widths[1]!).toBeGreaterThanOrEqual(40);
});

test("a quarter of each layer stays", () => {
  const costs = [curve(...new Array(mostRemovable(100)).fill(0)), curve(...new Array(mostRemovable(100)).fill(1))];
  expect(widthsByCost(costs, [100, 100], 1000, 1)).toEqual([25, 25]);
});
