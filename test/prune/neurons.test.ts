import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/compute/tensor.ts";
import { magnitude } from "../../src/importance/magnitude.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { type LayerSizes, sizesOf } from "../../src/model/spec/parts.ts";
import { takeRows } from "../../src/model/take-rows.ts";
import { neuronCut, takeNeurons } from "../../src/prune/neurons.ts";
import { smallSpec } from "../helpers/specs.ts";
import { layerOf } from "../recover/layer.ts";

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
  const pruned = takeNeurons(weights, Int32Array.of(0, 2), { weight: downProj });
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
  expect(Object.keys(takeNeurons(weights, Int32Array.of(1), { weight: Float32Array.of(9) })).sort()).toEqual([
    "downProj",
    "gateProj",
    "upProj",
  ]);
});

test("a bias that the recovery adds comes on top of the one that is there, or begins one", () => {
  const bare = { gateProj: counting([2, 1], 0), upProj: counting([2, 1], 0), downProj: counting([1, 2], 0) };
  const recovered = { weight: Float32Array.of(9), bias: Float32Array.of(3) };
  const kept = Int32Array.of(1);
  expect(takeNeurons(bare, kept, recovered).downBias).toEqual(tensor(Float32Array.of(3), [1]));
  const biased = { ...bare, downBias: counting([1], 4) };
  expect(takeNeurons(biased, kept, recovered).downBias).toEqual(tensor(Float32Array.of(7), [1]));
  expect(biased.downBias).toEqual(counting([1], 4));
});

test("rows are taken of the roles that a layer has", () => {
  const weights = { qProj: counting([2, 3], 0), qBias: counting([2], 9) };
  expect(takeRows(weights, ["qProj", "qBias", "kBias"], Int32Array.of(1))).toEqual({
    qProj: tensor(Float32Array.of(3, 4, 5), [1, 3]),
    qBias: tensor(Float32Array.of(10), [1]),
  });
});

describe("the neurons that stay", () => {
  const layer = layerOf([3, 1, 2, 4], [1, 1, 1, 1], 4);
  const context = { gemm, random: Math.random };
  const ranking = { criterion: magnitude, projection: layer, statistics: layer, context, order: undefined };
  const [before, after] = [4, 2].map((intermediateSize) => sizesOf(smallSpec(1, { intermediateSize }).layers[0]!)) as [
    LayerSizes,
    LayerSizes,
  ];

  test("are ascending, without the least important", async () => {
    const { inputs, costs } = await neuronCut.choose(ranking, before, after);
    expect([[...inputs], [...costs]]).toEqual([
      [0, 3],
      [1, 2],
    ]);
  });

  test("follow the order that all layers were ranked by, where there is one", async () => {
    const { inputs, costs } = await neuronCut.choose({ ...ranking, order: Int32Array.of(3, 0, 1) }, before, after);
    expect([[...inputs], [...costs]]).toEqual([[1, 2], []]);
  });

  test("are all of them where nothing is cut", () =>
    expect([...neuronCut.all(before, 4).inputs]).toEqual([0, 1, 2, 3]));
});
