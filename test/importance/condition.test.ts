// The condition of the mask-tuning system, against that system inverted directly.
import { expect, test } from "vitest";
import { condition } from "../../src/importance/condition.ts";
import { complement } from "../../src/linalg/gather.ts";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { ridged } from "../../src/linalg/spd.ts";
import { recoveries } from "../../src/recover/index.ts";
import { bruteInverse, gramOf } from "../linalg/random-matrix.ts";
import { type Layer, layerOf, makeLayer, outputEnergyOf, squaredError, widen } from "../recover/layer.ts";

const rank = (layer: Layer, count: number) => condition.rank(layer, layer, count, { gemm, random: Math.random });

/** 1 / [Q⁻¹]_jj for Q = G ⊙ WᵀW with the criterion's ridge. */
function scoresOf({ gram, weight, outputSize, inputSize }: Layer): number[] {
  const products = gramOf(weight, outputSize);
  const inverse = bruteInverse(
    ridged(
      gram.map((value, i) => value * products[i]!),
      inputSize,
      1e-4,
    ),
    inputSize,
  );
  return Array.from({ length: inputSize }, (_, j) => 1 / inverse[j * inputSize + j]!);
}

test.each([1, 2, 3])("removes first the input of least 1 / [Q⁻¹]_jj, at that cost (%i)", async (seed) => {
  const layer = makeLayer(20, 48, 200, seed);
  const scores = scoresOf(layer);
  const { order, costs } = await rank(layer, 1);
  expect(order[0]).toBe(scores.indexOf(Math.min(...scores)));
  expect(costs[0]! / Math.min(...scores)).toBeCloseTo(1, 4);
});

test("charges for many inputs the error that mask tuning leaves", async () => {
  const layer = makeLayer(20, 48);
  const { order, costs } = await rank(layer, 6);
  const kept = complement(order.toSorted(), 20);
  const { weight } = await recoveries.mask.recover(layer, inMemory(layer), kept, { gemm, ridge: 1e-4 });
  const tuned = squaredError(layer, widen(layer, kept, weight));
  expect(costs.reduce((a, b) => a + b) / tuned).toBeCloseTo(1, 2);
});

test("of two inputs that do the same thing one goes first, at almost no cost", async () => {
  const { z, weight } = makeLayer(8, 16);
  const twin = (values: ArrayLike<number>) =>
    Float64Array.from(values, (value, i) => (i % 8 === 7 ? values[i - 4]! : value));
  const layer = layerOf(twin(weight), twin(z), 8);
  const { order, costs } = await rank(layer, 1);
  expect([3, 7]).toContain(order[0]);
  expect(costs[0]!).toBeLessThan(1e-3 * outputEnergyOf(layer));
});

test("is blind to the order of the outputs", async () => {
  const layer = makeLayer(10, 2);
  const weight = Float32Array.from([...layer.weight.subarray(10), ...layer.weight.subarray(0, 10)]);
  expect([...(await rank({ ...layer, weight }, 10)).order]).toEqual([...(await rank(layer, 10)).order]);
});
