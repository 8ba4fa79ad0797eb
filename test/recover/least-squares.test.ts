// The refit against its closed form, and against what it must never do.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { complement, gatherBlock, gatherColumns } from "../../src/linalg/gather.ts";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { lostEnergy } from "../../src/recover/layer-error.ts";
import { leastSquares, refitColumns } from "../../src/recover/least-squares.ts";
import { none } from "../../src/recover/none.ts";
import { bruteInverse, maxDifference, multiply } from "../linalg/random-matrix.ts";
import { allOf, layerOf, makeLayer, outputEnergyOf, squaredError, widen } from "./layer.ts";

const layer = makeLayer(20, 48);
const kept = Int32Array.of(0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19);
const removed = complement(kept, 20);
const block = (rows: Int32Array, cols: Int32Array): Float64Array => gatherBlock(layer.gram, 20, rows, cols);

describe("by hand", () => {
  // G = [[4, 2], [2, 3]]: the input that stays takes over 2/4 of the weight of the one that goes
  const pair = layerOf([1, 2, 3, 4], [2, 1, 0, Math.SQRT2], 2);
  const first = Int32Array.of(0);

  test("the kept weight takes over the share of the lost one that its input explains", async () => {
    const { weight } = await leastSquares.recover(pair, inMemory(pair), first, { gemm, ridge: 0 });
    expect(maxDifference(weight, [1 + 0.5 * 2, 3 + 0.5 * 4])).toBeLessThan(1e-6);
  });

  test("a ridge, a share of the mean diagonal 3.5, holds it back", async () => {
    const { weight } = await leastSquares.recover(pair, inMemory(pair), first, { gemm, ridge: 0.5 });
    const share = 2 / (4 + 0.5 * 3.5);
    expect(maxDifference(weight, [1 + share * 2, 3 + share * 4])).toBeLessThan(1e-6);
  });

  test("a drift moves the weights by D G⁻¹, also where nothing goes", async () => {
    const drift = Float32Array.of(8, 0, 0, 8);
    const weight = await refitColumns(pair, { gram: async () => pair.gram, drift: async () => drift }, allOf(pair), {
      gemm,
      ridge: 0,
    });
    // G⁻¹ = [[3, −2], [−2, 4]] / 8
    expect(maxDifference(weight, [1 + 3, 2 - 2, 3 - 2, 4 + 4])).toBeLessThan(1e-5);
  });

  test("without a drift nothing moves where nothing goes", async () => {
    expect(await refitColumns(pair, { gram: async () => pair.gram }, allOf(pair), { gemm, ridge: 0 })).toEqual(
      pair.weight,
    );
  });
});

test("reaches the Schur complement's residual tr(W_P S W_Pᵀ)", async () => {
  const { weight } = await leastSquares.recover(layer, inMemory(layer), kept, { gemm, ridge: 1e-9 });
  const solved = multiply(bruteInverse(block(kept, kept), 14), block(kept, removed), 14, 14);
  const explained = multiply(block(removed, kept), solved, 6, 14);
  const schur = block(removed, removed).map((value, i) => value - explained[i]!);
  const lost = gatherColumns(layer.weight, 20, removed);
  const residual = multiply(lost, schur, 48, 6).reduce((sum, value, i) => sum + value * lost[i]!, 0);
  expect(squaredError(layer, widen(layer, kept, weight))).toBeCloseTo(residual, 2);
});

test("never raises the error on the calibration tokens, whatever goes and however large the ridge", async () => {
  const inputs = fc.subarray([...Array(8).keys()], { minLength: 1 });
  const ridges = fc.constantFrom(1e-6, 1e-3, 0.1, 10);
  const check = fc.asyncProperty(fc.nat(10_000), inputs, ridges, async (seed, stay, ridge) => {
    const some = makeLayer(8, 3, 30, seed);
    const [indices, context] = [Int32Array.from(stay), { gemm, ridge }];
    const [refitted, plain] = [
      await lostEnergy(gemm, some, some, indices, await leastSquares.recover(some, inMemory(some), indices, context)),
      await lostEnergy(gemm, some, some, indices, await none.recover(some, inMemory(some), indices, context)),
    ];
    const whole = outputEnergyOf(some);
    expect(Math.sqrt(refitted! / whole)).toBeLessThanOrEqual(Math.sqrt(plain! / whole) + 1e-3);
  });
  await fc.assert(check, { numRuns: 60 });
});

test("the smaller the ridge, the smaller the error", async () => {
  const errors: number[] = [];
  for (const ridge of [1e-6, 1e-2, 1, 10])
    errors.push(
      await lostEnergy(
        gemm,
        layer,
        layer,
        kept,
        await leastSquares.recover(layer, inMemory(layer), kept, { gemm, ridge }),
      ),
    );
  expect(errors).toEqual(errors.toSorted((a, b) => a - b));
});
