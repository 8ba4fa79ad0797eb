import { describe, expect, test } from "vitest";
import { type CostCurve, mostRemovable, sizesByCost } from "../../src/allocation/by-cost.ts";
import { position } from "../helpers/specs.ts";

/** A curve of steps of one neuron and one parameter each, of a layer of `width` neurons. */
const neurons = (layer: number, width: number, ...costs: number[]): CostCurve => ({
  position: position(layer),
  steps: costs.map((cost, i) => ({ cost, parameters: 1, sizes: { intermediateSize: width - 1 - i } })),
});

/** A curve of heads: each step leaves one head less and brings `parameters`. */
const heads = (layer: number, count: number, parameters: number, ...costs: number[]): CostCurve => ({
  position: position(layer),
  steps: costs.map((cost, i) => ({
    cost,
    parameters,
    sizes: { numAttentionHeads: count - 1 - i, numKeyValueHeads: count - 1 - i },
  })),
});

const sizes = (width: number) => ({ intermediateSize: width, numAttentionHeads: 2, numKeyValueHeads: 2 });
const widths = (curves: CostCurve[], total: number): number[] =>
  sizesByCost(curves, [sizes(4), sizes(4)], total).map(({ intermediateSize }) => intermediateSize);

describe("neurons", () => {
  test("the cheapest go, whichever layer they are in", () => {
    expect(widths([neurons(0, 4, 1, 5, 9), neurons(1, 4, 2, 3, 4)], 3)).toEqual([3, 2]);
  });

  test("nothing expensive is passed to reach something cheap behind it", () => {
    // The second neuron of the first layer costs 0 only after one that costs 9.
    expect(widths([neurons(0, 4, 9, 0, 0), neurons(1, 4, 5, 6, 7)], 3)).toEqual([4, 1]);
  });

  test("all curves may end before enough is gone", () => {
    expect(widths([neurons(0, 4, 1), neurons(1, 4, 2)], 10)).toEqual([3, 3]);
  });

  test("none go when nothing is asked for", () => {
    expect(widths([neurons(0, 4, 1), neurons(1, 4, 2)], 0)).toEqual([4, 4]);
    expect(widths([neurons(0, 4, 1), neurons(1, 4, 2)], -5)).toEqual([4, 4]);
  });

  test("at most three quarters of a layer go before all of it", () => expect(mostRemovable(100)).toBe(75));
});

describe("heads beside neurons", () => {
  test("compete by cost per parameter", () => {
    // a head of 10 parameters for 20 is cheaper than neurons for 3 each, more expensive than those for 1
    const curves = [neurons(0, 4, 1, 3, 3), heads(0, 2, 10, 20, 50), neurons(1, 4, 1, 3, 3)];
    expect(sizesByCost(curves, [sizes(4), sizes(4)], 12)).toEqual([
      { intermediateSize: 3, numAttentionHeads: 1, numKeyValueHeads: 1 },
      { intermediateSize: 3, numAttentionHeads: 2, numKeyValueHeads: 2 },
    ]);
  });

  test("what a last large step makes needless is given back, the most expensive first", () => {
    // 4 parameters are asked for: three neurons (1, 2, 2.5 each) fall short, the head brings 10 at once
    const curves = [neurons(0, 4, 1, 2.5), neurons(1, 4, 2), heads(1, 2, 10, 30)];
    expect(sizesByCost(curves, [sizes(4), sizes(4)], 4)).toEqual([
      { intermediateSize: 4, numAttentionHeads: 2, numKeyValueHeads: 2 },
      { intermediateSize: 4, numAttentionHeads: 1, numKeyValueHeads: 1 },
    ]);
  });

  test("but not a step before one that is needed", () => {
    const first = { cost: 1, parameters: 1, sizes: { intermediateSize: 3 } };
    const second = { cost: 20, parameters: 10, sizes: { intermediateSize: 0 } };
    const [layer] = sizesByCost([{ position: position(0), steps: [first, second] }], [sizes(4)], 5);
    expect(layer!.intermediateSize).toBe(0);
  });
});
