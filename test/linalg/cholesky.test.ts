import { describe, expect, test } from "vitest";
import { cholesky, solveFactored, solveSpd } from "../../src/linalg/cholesky.ts";
import { type Gemm, type Matrix, matrix } from "../../src/linalg/gemm.ts";
import { isHalved } from "../../src/linalg/halves.ts";
import { invertBySweep, invertSpd } from "../../src/linalg/invert.ts";
import { referenceGemm } from "../../src/linalg/reference-gemm.ts";
import { bruteInverse, gramOf, maxDifference, multiply, randomMatrix, randomSpd } from "./random-matrix.ts";

/** What matrices take that are too large to be copied. */
const solveByFactor = async (gemm: Gemm, square: Float64Array, b: Matrix): Promise<void> =>
  solveFactored(gemm, await cholesky(gemm, square, b.rows), b);

describe.each([1, 5, 128, 129, 300])("a positive definite matrix of %i rows", (size) => {
  const a = randomSpd(size, size);

  test("is the product UᵀU of its factor", async () => {
    const { upper } = await cholesky(referenceGemm, a.slice(), size);
    for (let i = 0; i < size; i++) upper.fill(0, i * size, i * size + i);
    expect(maxDifference(gramOf(upper, size), a)).toBeLessThan(1e-9 * size);
  });

  test.each([
    ["its inverse", solveSpd],
    ["its factor", solveByFactor],
  ])("gives back the X of A X = B by %s", async (_, solve) => {
    const x = randomMatrix(size, 7, 2);
    const b = matrix(size, 7, multiply(a, x, size, size));
    await solve(referenceGemm, a.slice(), b);
    expect(maxDifference(b.data, x)).toBeLessThan(1e-9);
  });

  test.each([
    ["by halves", invertSpd],
    ["by the sweep operator", invertBySweep],
  ])("is inverted in place %s as by Gauss-Jordan elimination with pivoting", async (_, invert) => {
    const inverse = a.slice();
    await invert(referenceGemm, inverse, size);
    expect(maxDifference(inverse, bruteInverse(a, size))).toBeLessThan(1e-10);
  });
});

test("a 2 × 2 matrix is inverted as by hand", async () => {
  const a = Float64Array.of(4, 2, 2, 3);
  await invertSpd(referenceGemm, a, 2);
  expect(maxDifference(a, [3 / 8, -2 / 8, -2 / 8, 4 / 8])).toBeLessThan(1e-15);
});

test.each([
  ["negative", -1],
  ["not finite", Number.NaN],
])("a %s pivot in a later block is refused with its row", async (_, value) => {
  const a = randomSpd(140, 1);
  a[135 * 140 + 135] = value;
  const refusal = { kind: "numeric", message: expect.stringContaining("row 135") };
  await expect(cholesky(referenceGemm, a.slice(), 140)).rejects.toMatchObject(refusal);
  await expect(invertSpd(referenceGemm, a.slice(), 140)).rejects.toMatchObject(refusal);
  await expect(invertBySweep(referenceGemm, a.slice(), 140)).rejects.toMatchObject(refusal);
});

test("matrices of up to 32 MiB are copied: those of the tests, and the Gram matrix of 2,048 neurons", () => {
  expect([300, 2048, 2049].map(isHalved)).toEqual([true, true, false]);
});
