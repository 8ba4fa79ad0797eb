// Optimal brain surgeon against refits solved directly, and the metric of the loss against a weight matrix that carries it.
import { describe, expect, test } from "vitest";
import { type CriterionName, criteria } from "../../src/importance/index.ts";
import { cholesky } from "../../src/linalg/cholesky.ts";
import { complement } from "../../src/linalg/gather.ts";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { ridged } from "../../src/linalg/spd.ts";
import { leastSquares } from "../../src/recover/least-squares.ts";
import { gramOf, multiply, randomMatrix } from "../linalg/random-matrix.ts";
import { type Layer, makeLayer, outputEnergyOf, squaredError, widen } from "../recover/layer.ts";

const layer = makeLayer(12, 6, 300);
const fisherFactor = Float32Array.from(gramOf(randomMatrix(6, 6, 5), 6));

const rank = (name: CriterionName, of: Layer, count = of.inputSize) =>
  criteria[name].rank(of, of, count, { gemm, random: Math.random });

/** ‖ZWᵀ − Z_K Ŵᵀ‖² after the best refit without some inputs. */
async function errorWithout(removed: Int32Array): Promise<number> {
  const kept = complement(removed, layer.inputSize);
  const { weight } = await leastSquares.recover(layer, inMemory(layer), kept, { gemm, ridge: 1e-9 });
  return squaredError(layer, widen(layer, kept, weight));
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

describe("obs", () => {
  test("removes first the input whose loss a refit makes up for best", async () => {
    const { order } = await rank("obs", layer, 1);
    const errors = await Promise.all([...Array(12).keys()].map((j) => errorWithout(Int32Array.of(j))));
    expect(order[0]).toBe(errors.indexOf(Math.min(...errors)));
  });

  test.each([1, 4, 8, 11])("charges for %i inputs the error that is left after the refit", async (count) => {
    const { order, costs } = await rank("obs", layer, count);
    expect(sum(costs) / (await errorWithout(order.toSorted()))).toBeCloseTo(1, 2);
  });

  test("charges for all inputs the whole output", async () => {
    expect(sum((await rank("obs", layer)).costs) / outputEnergyOf(layer)).toBeCloseTo(1, 2);
  });

  test("does not look at a Fisher factor that is there", async () => {
    expect(await rank("obs", { ...layer, fisherFactor })).toEqual(await rank("obs", layer));
  });

  test("cannot remove more inputs than there are", async () => {
    await expect(rank("obs", layer, 13)).rejects.toThrow("13 of 12 neurons cannot be removed");
  });
});

describe("loss", () => {
  test("is obs on (S + 0.02 · mean diag S · I)^½ W", async () => {
    const { upper } = await cholesky(gemm, ridged(fisherFactor, 6, 0.02), 6);
    for (let i = 0; i < 6; i++) upper.fill(0, 6 * i, 7 * i);
    const weighted = { ...layer, weight: Float32Array.from(multiply(upper, layer.weight, 6, 6)) };
    const [own, plain] = [await rank("loss", { ...layer, fisherFactor }), await rank("obs", weighted)];
    expect([...own.order]).toEqual([...plain.order]);
    own.costs.forEach((cost, i) => {
      expect(cost / plain.costs[i]!).toBeCloseTo(1, 3);
    });
  });

  test("alone needs the Fisher factor", () => {
    const names = Object.keys(criteria) as CriterionName[];
    expect(names.filter((name) => "needsFisherFactor" in criteria[name])).toEqual(["loss"]);
  });
});

test.each(["obs", "condition"] as const)("%s refuses statistics that are not finite", async (name) => {
  const gram = layer.gram.slice().fill(Number.NaN, 1, 2).fill(Number.NaN, 12, 13);
  await expect(rank(name, { ...layer, gram })).rejects.toMatchObject({ kind: "numeric" });
});
