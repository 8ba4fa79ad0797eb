import { expect, test } from "vitest";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { denseTarget, feltDrift } from "../../src/recover/dense-target.ts";
import { leastSquares } from "../../src/recover/least-squares.ts";
import { bruteInverse, gramOf, maxDifference, multiply, randomMatrix, transpose } from "../linalg/random-matrix.ts";
import { makeLayer } from "./layer.ts";

const layer = makeLayer(12, 6, 200);
const { z, gram, downProj, hiddenSize, size, tokenCount } = layer;
const all = Int32Array.from({ length: size }, (_, j) => j);
const kept = Int32Array.of(0, 2, 3, 5, 6, 8, 9, 11);
const errors = randomMatrix(tokenCount, hiddenSize, 77); // E: what is missing, per token
const drift = Float32Array.from(multiply(transpose(errors, hiddenSize), z, hiddenSize, tokenCount)); // EᵀZ
/** S so large in every direction that all errors are felt, and one that feels every direction alike. */
const identity = Float32Array.from({ length: hiddenSize ** 2 }, (_, i) => (i % (hiddenSize + 1) === 0 ? 1 : 0));

test("without an error to make up for it is least squares", async () => {
  const input = { ...layer, kept, ridge: 1e-6 };
  const none = { drift: new Float32Array(drift.length), lossCovariance: identity };
  const { downProj: found } = await denseTarget.recover({ ...input, ...none }, { gemm });
  expect(maxDifference(found, (await leastSquares.recover(input, { gemm })).downProj)).toBeLessThan(1e-6);
});

test("it solves the normal equations of the target: own output plus the half of the error that an even S admits", async () => {
  const input = { ...layer, kept: all, ridge: 0, drift, lossCovariance: identity };
  const { downProj: found } = await denseTarget.recover(input, { gemm });
  const step = multiply(
    drift.map((value) => value / 2),
    bruteInverse(Float64Array.from(gram), size),
    hiddenSize,
    size,
  );
  expect(
    maxDifference(
      found,
      downProj.map((weight, i) => weight + step[i]!),
    ),
  ).toBeLessThan(1e-4);
});

test("an error where the loss feels nothing is left alone", async () => {
  const direction = randomMatrix(1, hiddenSize, 5);
  const covariance = Float32Array.from(gramOf(direction, 1)); // S of rank one
  const felt = await feltDrift(gemm, drift, covariance, hiddenSize);
  const length = direction.reduce((sum, value) => sum + value * value, 0);
  const along = multiply(direction, felt, 1, hiddenSize); // dᵀX
  for (let j = 0; j < size; j++)
    for (let i = 0; i < hiddenSize; i++)
      expect(felt[i * size + j]! - (direction[i]! * along[j]!) / length).toBeCloseTo(0, 4);
  const share = hiddenSize / (hiddenSize + 1); // eigenvalue |d|² against τ = |d|² / hiddenSize
  expect(
    maxDifference(
      along,
      multiply(direction, drift, 1, hiddenSize).map((value) => value * share),
    ),
  ).toBeLessThan(1e-3);
});
