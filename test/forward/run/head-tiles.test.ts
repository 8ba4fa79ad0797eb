import { expect, test } from "vitest";
import { tileRanges } from "../../../src/forward/run/head-tiles.ts";

test("tiles cover the vocabulary in order, each as large as its bytes allow", () => {
  expect(tileRanges({ vocabSize: 10, hiddenSize: 4 }, 64)).toEqual([
    { start: 0, end: 4 },
    { start: 4, end: 8 },
    { start: 8, end: 10 },
  ]);
});

test("a tile has a row at least", () =>
  expect(tileRanges({ vocabSize: 2, hiddenSize: 4 }, 1)).toEqual([
    { start: 0, end: 1 },
    { start: 1, end: 2 },
  ]));
