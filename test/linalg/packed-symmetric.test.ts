import { expect, test } from "vitest";
import { packedLength, packSymmetric, unpackSymmetric } from "../../src/linalg/packed-symmetric.ts";

test("the upper triangle row by row, and back", () => {
  // biome-ignore format: a matrix
  const matrix = Float32Array.of(
    1, 2, 3,
    2, 4, 5,
    3, 5, 6,
  );
  const packed = packSymmetric(matrix, 3);
  expect([...packed]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(packed).toHaveLength(packedLength(3));
  expect(unpackSymmetric(packed, 3)).toEqual(matrix);
});
