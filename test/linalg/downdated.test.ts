import { expect, test } from "vitest";
import { DowndatedMatrix } from "../../src/linalg/downdated.ts";
import { referenceGemm } from "../../src/linalg/reference-gemm.ts";
import { maxDifference, multiply, randomMatrix, transpose } from "./random-matrix.ts";

const SIZE = 9;
const a = randomMatrix(SIZE, SIZE, 1);
const [x, y] = [randomMatrix(4, SIZE, 2), randomMatrix(4, SIZE, 3)];
const product = multiply(transpose(x, 4), y, SIZE, 4);
const difference = a.map((value, i) => value - product[i]!);

/** A − XᵀY, its rows of X and Y handed over in two pieces. */
function downdated(): DowndatedMatrix<Float64Array> {
  const matrix = new DowndatedMatrix(a.slice(), new Float64Array(6 * SIZE), new Float64Array(6 * SIZE));
  for (const [start, end] of [
    [0, 1],
    [1, 4],
  ])
    matrix.subtract(x.slice(start! * SIZE, end! * SIZE), y.slice(start! * SIZE, end! * SIZE));
  return matrix;
}

const rowsOf = (whole: Float64Array, indices: readonly number[]): number[] =>
  indices.flatMap((i) => [...whole.subarray(i * SIZE, (i + 1) * SIZE)]);

test("rows are as they are after what was subtracted, in the order asked for", async () => {
  const rows = await downdated().rows(referenceGemm, Int32Array.of(7, 0, 3));
  expect(maxDifference(rows, rowsOf(difference, [7, 0, 3]))).toBeLessThan(1e-14);
});

test("rows of a matrix from which nothing is subtracted are its own", async () => {
  const matrix = new DowndatedMatrix(a.slice(), new Float64Array(0), new Float64Array(0));
  expect([...(await matrix.rows(referenceGemm, Int32Array.of(2)))]).toEqual(rowsOf(a, [2]));
});

test("after some are dropped, the rows of the others follow further subtractions", async () => {
  const matrix = downdated();
  const survivors = [1, 2, 5, 8];
  await matrix.compact(referenceGemm, Int32Array.from(survivors));
  const left = survivors.map((i) => survivors.map((j) => difference[i * SIZE + j]!));
  expect(maxDifference(await matrix.rows(referenceGemm, Int32Array.of(3)), left[3]!)).toBeLessThan(1e-14);
  const [u, v] = [randomMatrix(1, 4, 4), randomMatrix(1, 4, 5)];
  matrix.subtract(u, v);
  const row = left[2]!.map((value, j) => value - u[2]! * v[j]!);
  expect(maxDifference(await matrix.rows(referenceGemm, Int32Array.of(2)), row)).toBeLessThan(1e-14);
});
