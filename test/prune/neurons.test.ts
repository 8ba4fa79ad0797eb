import { expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/compute/tensor.ts";
import { pruneNeurons } from "../../src/prune/neurons.ts";

const counting = (shape: number[], from: number): Tensor<Float32Array> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
    shape,
  );

test("gate, up and their biases keep the rows of the kept neurons; down is what recovery made; the rest is untouched", () => {
  const weights = {
    mlpNorm: counting([2], 0),
    gateProj: counting([3, 2], 10),
    upProj: counting([3, 2], 20),
    gateBias: counting([3], 30),
    upBias: counting([3], 40),
    downProj: counting([2, 3], 50),
    downBias: counting([2], 60),
  };
  const downProj = Float32Array.of(1, 2, 3, 4);
  const pruned = pruneNeurons(weights, Int32Array.of(0, 2), downProj);
  expect(pruned.gateProj).toEqual(tensor(Float32Array.of(10, 11, 14, 15), [2, 2]));
  expect(pruned.upProj).toEqual(tensor(Float32Array.of(20, 21, 24, 25), [2, 2]));
  expect(pruned.gateBias).toEqual(tensor(Float32Array.of(30, 32), [2]));
  expect(pruned.upBias).toEqual(tensor(Float32Array.of(40, 42), [2]));
  expect(pruned.downProj).toEqual(tensor(downProj, [2, 2]));
  expect(pruned.mlpNorm).toBe(weights.mlpNorm);
  expect(pruned.downBias).toBe(weights.downBias);
});

test("a layer without biases gets none", () => {
  const weights = { gateProj: counting([2, 1], 0), upProj: counting([2, 1], 0), downProj: counting([1, 2], 0) };
  expect(Object.keys(pruneNeurons(weights, Int32Array.of(1), Float32Array.of(9))).sort()).toEqual([
    "downProj",
    "gateProj",
    "upProj",
  ]);
});
