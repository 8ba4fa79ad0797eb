import { expect, test } from "vitest";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { lostEnergy, outputEnergy } from "../../src/recover/layer-error.ts";
import { layerOf } from "./layer.ts";

// the outputs of two tokens are 3 and 4; the second comes from the second input alone
const layer = layerOf([1, 1], [3, 0, 0, 4], 2);

test.each<[string, number[], { weight: number[]; bias?: number }, number]>([
  ["all stays", [0, 1], { weight: [1, 1] }, 0],
  ["all goes", [], { weight: [] }, 25],
  ["the second input goes: 4 of 5", [0], { weight: [1] }, 16],
  ["and the first is doubled: it errs by 3 too", [0], { weight: [2] }, 25],
  ["a bias of its mean: both tokens err by 2", [0], { weight: [1], bias: 2 }, 8],
  ["a bias too large: they err by 5 and 1", [0], { weight: [1], bias: 5 }, 26],
])("%s", async (_, kept, { weight, bias }, expected) => {
  const recovered = { weight: Float32Array.from(weight), ...(bias && { bias: Float32Array.of(bias) }) };
  expect(await lostEnergy(gemm, layer, layer, Int32Array.from(kept), recovered)).toBeCloseTo(expected, 5);
});

test("the energy of an output is the sum of its squares, of no inputs nothing", async () => {
  expect(await outputEnergy(gemm, layer.gram, layer.weight)).toBe(25);
  expect(await outputEnergy(gemm, new Float32Array(0), new Float32Array(0))).toBe(0);
});
