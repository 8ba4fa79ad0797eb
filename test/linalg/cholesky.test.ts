import { describe, expect, test } from "vitest";
import { cholesky, solveSpd } from "../../src/linalg/cholesky.ts";
import { matrix } from "../../src/linalg/gemm.ts";
import { invertSpd } from "../../src/linalg/invert.ts";
import { referenceGemm } from "../../src/linalg/reference-gemm.ts";
import { bruteInverse, gramOf, maxDifference, multiply, randomMatrix, randomSpd } from "./random-matrix.ts";

describe.each([1, 5, 128, 129, 300])("a positive definite matrix of %i rows", (size) => {
  const a = randomSpd(size, size);

  test("is the product UᵀU of its factor", async () => {
    const { upper } = await cholesky(referenceGemm, a.slice(), size);
    for (let i = 0; i < size; i++) upper.fill(0, i * size, i * size + i);
    expect(maxDifference(gramOf(upper, size), a)).toBeLessThan(1e-9 * size);
  });

  test("gives back the X of A X = B", async () => {
    const x = randomMatrix(size, 7, 2);
    const b = matrix(size, 7, multiply(a, x, size, size));
    await solveSpd(referenceGemm, a.slice(), b);
    expect(maxDifference(b.data, x)).toBeLessThan(1e-9);
  });

  test("is inverted in place as by Gauss-Jordan elimination with pivoting", async () => {
    const inverse = a.slice();
    await invertSpd(referenceGemm, inverse, size);
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
});
