import { describe, expect, test } from "vitest";
import { chooseExperts, highest } from "../../../src/forward/run/routing.ts";
import { SOFTMAX } from "../../../src/model/config/mixture.ts";

const mixture = (numExperts: number, expertsPerToken: number) => ({ numExperts, expertsPerToken });
const sigmoid = { ...SOFTMAX, scores: "sigmoid", correction: true } as const;

describe("a token goes to", () => {
  test("the experts of the largest logits, in whatever order these come", () => {
    const logits = Float32Array.of(3, -1, 2, 0, /**/ -4, -2, -3, -1);
    expect([...chooseExperts({ routing: SOFTMAX }, mixture(4, 2), logits, undefined)]).toEqual([
      1, 0, 1, 0, 0, 1, 0, 1,
    ]);
  });

  test("others where their scores are corrected: by less than scores differ at most", () => {
    const logits = Float32Array.of(2, 1, 0); // sigmoids .88, .73, .5
    const correction = Float32Array.of(-0.5, 0, 0);
    expect([...chooseExperts({ routing: sigmoid }, mixture(3, 1), logits, correction)]).toEqual([0, 1, 0]);
  });

  test("those of the groups whose two best have the largest sum", () => {
    const routing = { ...sigmoid, groups: { count: 2, chosen: 1 } };
    // the first group has the best expert of all, the second the best pair
    const logits = Float32Array.of(5, -5, -5, 2, 2, -5);
    expect([...chooseExperts({ routing }, mixture(6, 2), logits, undefined)]).toEqual([0, 0, 0, 1, 1, 0]);
  });
});

test("the largest values come first, of equal ones those that stand before", () => {
  expect(highest(Float64Array.of(1, 3, 3, 2, 3), 3)).toEqual([1, 2, 4]);
  expect(highest(Float64Array.of(2, 1), 2)).toEqual([0, 1]);
});
