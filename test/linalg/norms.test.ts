import { expect, test } from "vitest";
import { columnSquares, contributionNorms } from "../../src/linalg/norms.ts";

const weights = Float32Array.of(3, 0, 1, 4, 3, 0); // columns (3, 4), (0, 3) and (1, 0)

test("squares of columns", () => expect([...columnSquares(weights, 3)]).toEqual([25, 9, 1]));

test("what an input writes: the norm of its activations, on the Gram matrix's diagonal, times that of its column", () => {
  const gram = Float32Array.of(4, 9, 9, 9, 16, 9, 9, 9, 36);
  expect([...contributionNorms(gram, weights, 3)]).toEqual([2 * 5, 4 * 3, 6 * 1]);
});
