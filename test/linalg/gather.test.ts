import { expect, test } from "vitest";
import { complement, gatherBlock, gatherColumns, gatherRows, scatterColumns } from "../../src/linalg/gather.ts";

const source = Float32Array.from({ length: 12 }, (_, i) => i); // [3, 4]

test("rows are taken in the order asked for", () => {
  expect([...gatherRows(source, 4, Int32Array.of(2, 0))]).toEqual([8, 9, 10, 11, 0, 1, 2, 3]);
});

test("columns are taken in the order asked for", () => {
  expect([...gatherColumns(source, 4, Int32Array.of(3, 1))]).toEqual([3, 1, 7, 5, 11, 9]);
});

test("a block is where its rows and columns cross", () => {
  expect(gatherBlock(source, 4, Int32Array.of(0, 2), Int32Array.of(1, 3))).toEqual(Float64Array.of(1, 3, 9, 11));
});

test("the complement is what is not listed, ascending", () => {
  expect([...complement(Int32Array.of(4, 1), 6)]).toEqual([0, 2, 3, 5]);
  expect([...complement(Int32Array.of(), 2)]).toEqual([0, 1]);
});

test("columns are put back where they were, zeros between them", () => {
  const indices = Int32Array.of(0, 2);
  const wide = scatterColumns(gatherColumns(source, 4, indices), indices, 4);
  expect([...wide]).toEqual([0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0]);
});
