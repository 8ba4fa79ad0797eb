import { expect, test } from "vitest";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { bias } from "../../src/recover/bias.ts";
import { layerOf, makeLayer, squaredError, widen } from "./layer.ts";

test("is what the removed inputs write on average", async () => {
  // z of mean 2 and −1; of w_0 = (1, 2) and w_1 = (3, 5) the second goes
  const layer = layerOf([1, 3, 2, 5], [1, -3, 3, 1], 2);
  const recovered = await bias.recover(layer, inMemory(layer), Int32Array.of(0), { gemm, ridge: 0 });
  expect(recovered).toEqual({ weight: Float32Array.of(1, 2), bias: Float32Array.of(-3, -5) });
});

test("is better than any other constant", async () => {
  const layer = makeLayer(20, 48);
  const kept = Int32Array.of(0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19);
  const recovered = await bias.recover(layer, inMemory(layer), kept, { gemm, ridge: 0 });
  const errorOf = (factor: number): number =>
    squaredError(
      layer,
      widen(layer, kept, recovered.weight),
      recovered.bias!.map((value) => factor * value),
    );
  for (const factor of [0, 0.9, 1.1]) expect(errorOf(1)).toBeLessThan(errorOf(factor));
});
