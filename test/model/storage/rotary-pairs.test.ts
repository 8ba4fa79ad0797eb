import { expect, test } from "vitest";
import { fromPairs, toPairs } from "../../../src/model/storage/rotary-pairs.ts";

/** Two heads of four rows with two elements each; each row holds its own index. */
const ROWS = Float32Array.from({ length: 16 }, (_, i) => Math.floor(i / 2));
const firsts = (values: Float32Array): number[] => Array.from(values.filter((_, i) => i % 2 === 0));
const whole = { headDim: 4, rotarySize: 4 };

test("elements i and i + size / 2 of a head become neighbours", () => {
  expect(firsts(toPairs(ROWS, whole, 2))).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
});

test("what is not rotated stays where it is", () => {
  const rows = Float32Array.from({ length: 8 }, (_, i) => i);
  expect([...toPairs(rows, { headDim: 8, rotarySize: 4 }, 1)]).toEqual([0, 2, 1, 3, 4, 5, 6, 7]);
});

test("the way back gives the rows as they were", () => {
  expect(fromPairs(toPairs(ROWS, whole, 2), whole, 2)).toEqual(ROWS);
  const head = { headDim: 8, rotarySize: 6 };
  expect(fromPairs(toPairs(ROWS, head, 1), head, 1)).toEqual(ROWS);
});
