import { expect, test } from "vitest";
import { matrix } from "../../src/linalg/gemm.ts";
import { referenceGemm } from "../../src/linalg/reference-gemm.ts";

const a = matrix(2, 3, Float32Array.of(1, 2, 3, 4, 5, 6));

test("a product is as by hand, in the element type of its operands", async () => {
  const product = await referenceGemm(a, matrix(3, 1, Float32Array.of(1, 0, -1)));
  expect(product).toEqual(matrix(2, 1, Float32Array.of(-2, -2)));
});

test("both transposes and the sign are honoured, and `into` is added to", async () => {
  const into = matrix(3, 3, new Float32Array(9).fill(100));
  await referenceGemm(
    a,
    matrix(3, 2, Float32Array.of(1, 0, 0, 1, 1, 1)),
    { transA: true, transB: true, alpha: -1 },
    into,
  );
  expect([...into.data]).toEqual([99, 96, 95, 98, 95, 93, 97, 94, 91]);
});

test("sizes that do not fit are a programming error", async () => {
  await expect(referenceGemm(a, a)).rejects.toThrow("inner sizes differ: [2, 3] · [2, 3]");
  await expect(referenceGemm(a, a, { transB: true }, a)).rejects.toThrow("the product is [2, 2], not [2, 3]");
});
