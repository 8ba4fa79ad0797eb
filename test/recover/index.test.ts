// What holds for every recovery.
import { describe, expect, test } from "vitest";
import { inMemory, type ProjectionStatistics } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { type RecoveryName, recoveries } from "../../src/recover/index.ts";
import { lostEnergy } from "../../src/recover/layer-error.ts";
import type { Recovered } from "../../src/recover/recovery.ts";
import { allOf, makeLayer, outputEnergyOf, squaredError, widen } from "./layer.ts";

const layer = makeLayer(20, 48); // wide enough for the mask to stay in its trusted range
const kept = Int32Array.of(0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19);
const names = Object.keys(recoveries) as RecoveryName[];

const recover = (name: RecoveryName, ridge: number, statistics: ProjectionStatistics = layer): Promise<Recovered> =>
  recoveries[name].recover(layer, inMemory(statistics), kept, { gemm, ridge });

describe.each(names)("%s", (name) => {
  test("changes nothing when every input stays", async () => {
    const { weight } = await recoveries[name].recover(layer, inMemory(layer), allOf(layer), { gemm, ridge: 0 });
    expect(weight).toEqual(layer.weight);
  });

  test("leaves the error that the activations themselves show", async () => {
    const recovered = await recover(name, 0);
    const direct = squaredError(layer, widen(layer, kept, recovered.weight), recovered.bias);
    const lost = await lostEnergy(gemm, layer, layer, kept, recovered);
    expect(lost / outputEnergyOf(layer)).toBeCloseTo(direct / outputEnergyOf(layer), 5);
  });

  test("keeps the statistics and the weights as they are", async () => {
    const before = structuredClone(layer);
    await recover(name, 1e-3);
    expect(layer).toEqual(before);
  });
});

test("least squares beats the mask, and the mask beats doing nothing", async () => {
  const errorOf = async (name: RecoveryName) => lostEnergy(gemm, layer, layer, kept, await recover(name, 1e-6));
  const [none, mask, leastSquares] = [await errorOf("none"), await errorOf("mask"), await errorOf("least-squares")];
  expect(mask).toBeLessThan(none);
  expect(leastSquares).toBeLessThan(mask);
});

test.each(["mask", "least-squares", "dense-target"] as const)(
  "%s refuses statistics that are not finite",
  async (name) => {
    const gram = layer.gram.slice().fill(Number.NaN, 1, 2).fill(Number.NaN, 20, 21);
    await expect(recover(name, 1e-3, { ...layer, gram })).rejects.toMatchObject({ kind: "numeric" });
    await expect(recover(name, 1e-3, { ...layer, gram: gram.fill(0) })).rejects.toMatchObject({ kind: "numeric" });
  },
);

test("those that aim at the dense model, and those that add a bias", () => {
  const those = (flag: string) => names.filter((name) => flag in recoveries[name]);
  expect([those("towardsDense"), those("addsBias")]).toEqual([["dense-target"], ["bias"]]);
});
