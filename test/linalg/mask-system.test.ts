import { expect, test } from "vitest";
import { isTrusted, maskSpread, maskSystemRows, TRUSTED_SPREAD } from "../../src/linalg/mask-system.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";

test("rows of Q are G times the inner products of the columns of W, element by element", async () => {
  // columns (1, 2) and (3, 1): inner products 5, 5 and 10
  const weights = Float32Array.of(1, 3, 2, 1);
  const gram = Float32Array.of(2, -1, -1, 4);
  expect([...(await maskSystemRows(gemm, gram, weights, 2, Int32Array.of(0, 1)))]).toEqual([10, -5, -5, 40]);
  expect([...(await maskSystemRows(gemm, gram, weights, 2, Int32Array.of(1)))]).toEqual([-5, 40]);
});

test("a mask's spread is the variance of its scales and the largest step away from 1", () => {
  expect(maskSpread([1, 1, 1])).toEqual({ variance: 0, maxDeviation: 0 });
  // deviations 0.5 and −0.5
  expect(maskSpread([1.5, 0.5])).toEqual({ variance: 0.25, maxDeviation: 0.5 });
  expect(maskSpread([])).toEqual({ variance: 0, maxDeviation: 0 });
});

test("it is trusted up to both bounds", () => {
  expect(isTrusted(TRUSTED_SPREAD)).toBe(true);
  expect(isTrusted({ ...TRUSTED_SPREAD, variance: 0.063 })).toBe(false);
  expect(isTrusted({ ...TRUSTED_SPREAD, maxDeviation: 1.001 })).toBe(false);
});
