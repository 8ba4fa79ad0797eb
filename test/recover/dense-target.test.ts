import { expect, test } from "vitest";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { denseTarget, weightedDrift } from "../../src/recover/dense-target.ts";
import { leastSquares } from "../../src/recover/least-squares.ts";
import { bruteInverse, gramOf, maxDifference, multiply, randomMatrix, transpose } from "../linalg/random-matrix.ts";
import { allOf, makeLayer } from "./layer.ts";

const layer = makeLayer(12, 6, 200);
const { z, gram, weight, outputSize, inputSize, tokenCount } = layer;
const kept = Int32Array.of(0, 2, 3, 5, 6, 8, 9, 11);
const errors = randomMatrix(tokenCount, outputSize, 77); // E: what is missing, per token
const drift = Float32Array.from(multiply(transpose(errors, outputSize), z, outputSize, tokenCount)); // EᵀZ
/** S of a loss that depends on every direction alike. */
const identity = Float32Array.from({ length: outputSize ** 2 }, (_, i) => (i % (outputSize + 1) === 0 ? 1 : 0));

test("without an error to make up for it is least squares", async () => {
  const context = { gemm, ridge: 1e-6 };
  const none = { drift: new Float32Array(drift.length), fisherFactor: identity };
  const found = await denseTarget.recover(layer, inMemory({ ...layer, ...none }), kept, context);
  const plain = await leastSquares.recover(layer, inMemory(layer), kept, context);
  expect(maxDifference(found.weight, plain.weight)).toBeLessThan(1e-6);
  expect(await denseTarget.recover(layer, inMemory(layer), kept, context)).toEqual(plain);
});

test("it solves the normal equations of the target: own output plus the half of the error that an even S admits", async () => {
  const statistics = { ...layer, drift, fisherFactor: identity };
  const { weight: found } = await denseTarget.recover(layer, inMemory(statistics), allOf(layer), { gemm, ridge: 0 });
  const step = multiply(
    drift.map((value) => value / 2),
    bruteInverse(Float64Array.from(gram), inputSize),
    outputSize,
    inputSize,
  );
  expect(
    maxDifference(
      found,
      weight.map((value, i) => value + step[i]!),
    ),
  ).toBeLessThan(1e-4);
});

test("an error in a direction on which the loss does not depend is left alone", async () => {
  const direction = randomMatrix(1, outputSize, 5);
  const fisherFactor = Float32Array.from(gramOf(direction, 1)); // S of rank one
  const weighted = await weightedDrift(gemm, drift, fisherFactor, outputSize);
  const length = direction.reduce((sum, value) => sum + value * value, 0);
  const along = multiply(direction, weighted, 1, outputSize); // dᵀX
  for (let j = 0; j < inputSize; j++)
    for (let i = 0; i < outputSize; i++)
      expect(weighted[i * inputSize + j]! - (direction[i]! * along[j]!) / length).toBeCloseTo(0, 4);
  const share = outputSize / (outputSize + 1); // eigenvalue |d|² against τ = |d|² / outputSize
  expect(
    maxDifference(
      along,
      multiply(direction, drift, 1, outputSize).map((value) => value * share),
    ),
  ).toBeLessThan(1e-3);
});
