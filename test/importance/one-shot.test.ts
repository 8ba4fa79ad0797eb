// The one-shot criteria: scores by hand, by definition token by token, and what holds for all of them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Criterion, Removal } from "../../src/importance/criterion.ts";
import { type CriterionName, criteria } from "../../src/importance/index.ts";
import { byScore, removeLowest } from "../../src/importance/one-shot.ts";
import { gatherBlock, gatherColumns } from "../../src/linalg/gather.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { seededRandom } from "../linalg/random-matrix.ts";
import { type Layer, layerOf, makeLayer } from "../recover/layer.ts";

const ONE_SHOT = ["wanda", "fluctuation", "taylor", "magnitude", "random"] as const;

/** Scores by input from a removal of all inputs. */
function byInput({ order, costs }: Removal): number[] {
  const scores: number[] = [];
  for (const [i, input] of order.entries()) scores[input] = costs[i]!;
  return scores;
}

const scoresOf = async (name: CriterionName, layer: Layer, random = seededRandom(1)): Promise<number[]> =>
  byInput(await criteria[name].rank(layer, layer, layer.inputSize, { gemm, random }));

describe("by hand", () => {
  // Columns of W of norm 5, 3 and 1. Columns of Z: all 1 (norm 2, no variance); ±2 (norm 4, variance 4); once 6 (norm 6, variance 36/4 − 1.5²).
  const weight = [3, 0, 1, 4, 3, 0];
  const z = [1, 2, 6, 1, -2, 0, 1, 2, 0, 1, -2, 0];
  const layer = { ...layerOf(weight, z, 3), weightSensitivity: Float32Array.of(0.5, 2, 1) };

  test.each<[CriterionName, string, number[], number[]]>([
    ["magnitude", "‖w‖", [5, 3, 1], [2, 1, 0]],
    ["wanda", "‖z‖ · ‖w‖", [2 * 5, 4 * 3, 6 * 1], [2, 0, 1]],
    ["fluctuation", "Var(z) · ‖w‖²", [0, 4 * 9, 6.75], [0, 2, 1]],
    ["taylor", "Σ |w · ∂L/∂w|, as the backward sweep found it", [0.5, 2, 1], [0, 2, 1]],
  ])("%s is %s", async (name, _, scores, order) => {
    const removal = await criteria[name].rank(layer, layer, 3, { gemm, random: Math.random });
    byInput(removal).forEach((score, j) => {
      expect(score).toBeCloseTo(scores[j]!, 12);
    });
    expect([...removal.order]).toEqual(order);
  });

  test("random draws once for each input", async () => {
    const drawn = [0.5, 0.1, 0.3];
    const { order } = await criteria.random.rank(layer, layer, 2, { gemm, random: () => drawn.shift()! });
    expect([...order]).toEqual([1, 2]);
    expect(drawn).toEqual([]);
  });
});

describe("token by token", () => {
  const layer = makeLayer();
  const { z, weight, inputSize, outputSize, tokenCount } = layer;

  /** Σ over tokens and outputs of (shift of input j · w_j)². */
  function errorOf(j: number, shift: (value: number) => number): number {
    let error = 0;
    for (let t = 0; t < tokenCount; t++)
      for (let i = 0; i < outputSize; i++) error += (shift(z[t * inputSize + j]!) * weight[i * inputSize + j]!) ** 2;
    return error;
  }

  test("wanda is the output error without an input", async () => {
    for (const [j, score] of (await scoresOf("wanda", layer)).entries())
      expect(score ** 2 / errorOf(j, (value) => value)).toBeCloseTo(1, 5);
  });

  test("fluctuation is the mean squared output error of an input replaced by its mean", async () => {
    for (const [j, score] of (await scoresOf("fluctuation", layer)).entries()) {
      let mean = 0;
      for (let t = 0; t < tokenCount; t++) mean += z[t * inputSize + j]! / tokenCount;
      expect(score / (errorOf(j, (value) => value - mean) / tokenCount)).toBeCloseTo(1, 4);
    }
  });
});

describe("what holds for all of them", () => {
  test("they are those that say so, and taylor alone needs the gradient's products", () => {
    const rows = Object.entries<Criterion>(criteria);
    expect(rows.flatMap(([name, { oneShot }]) => (oneShot ? [name] : []))).toEqual(ONE_SHOT);
    expect(rows.flatMap(([name, row]) => (row.needsWeightSensitivity ? [name] : []))).toEqual(["taylor"]);
  });

  test.each(ONE_SHOT)("%s scores an input the same wherever it stands", async (name) => {
    const size = 7;
    const permutation = fc.shuffledSubarray([...Array(size).keys()], { minLength: size });
    const check = fc.asyncProperty(fc.nat(1000), permutation, async (seed, order) => {
      const layer = {
        ...makeLayer(size, 3, 20, seed),
        weightSensitivity: Float32Array.from({ length: size }, (_, j) => j),
      };
      const drawn = [...Array(size).keys()].map(seededRandom(seed));
      const [scores, moved] = [
        await scoresOf(name, layer, inTurn(drawn)),
        await scoresOf(name, permuted(layer, Int32Array.from(order)), inTurn(order.map((j) => drawn[j]!))),
      ];
      expect(moved).toEqual(order.map((j) => scores[j]!));
    });
    await fc.assert(check, { numRuns: 30 });
  });

  test.each(ONE_SHOT)("%s costs of a block the sum of its scores, whatever else is gone", async (name) => {
    const layer = { ...makeLayer(6), weightSensitivity: Float32Array.of(3, 1, 4, 1, 5, 9) };
    const scores = await scoresOf(name, layer);
    const costs = await criteria[name].blockCosts!(layer, layer, 2, { gemm, random: seededRandom(1) });
    await costs.remove({ start: 0, end: 2 });
    expect(await costs.cost({ start: 2, end: 4 })).toBeCloseTo(scores[2]! + scores[3]!, 6);
  });
});

const inTurn = (values: readonly number[]): (() => number) => {
  const left = [...values];
  return () => left.shift()!;
};

/** A layer with its inputs in another order. */
function permuted(layer: Layer, order: Int32Array): Layer {
  const { inputSize, weight, z, gram, mean, weightSensitivity } = layer;
  return {
    ...layer,
    weight: gatherColumns(weight, inputSize, order),
    z: gatherColumns(z, inputSize, order),
    gram: Float32Array.from(gatherBlock(gram, inputSize, order, order)),
    mean: gatherColumns(mean, inputSize, order),
    weightSensitivity: gatherColumns(weightSensitivity!, inputSize, order),
  };
}

describe("the lowest scores", () => {
  test("go first, as many as are asked for; equals in the order of their indices", () => {
    const { order, costs } = removeLowest(Float64Array.of(3, 1, 2, 1), 3);
    expect([...order]).toEqual([1, 3, 2]);
    expect([...costs]).toEqual([1, 1, 2]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("of %f are refused, telling which neuron", async (score) => {
    const broken = byScore(() => Float64Array.of(1, score));
    const layer = makeLayer(2);
    await expect(broken.rank(layer, layer, 1, { gemm, random: Math.random })).rejects.toMatchObject({
      kind: "numeric",
      message: `the importance of neuron 1 is ${score}`,
    });
  });
});
