// Against the definition: the least-squares error of the best refit without a set of inputs, solved directly.
import { describe, expect, test } from "vitest";
import { refittedCosts } from "../../src/importance/block-costs.ts";
import { removeHeads } from "../../src/importance/heads.ts";
import { type CriterionName, criteria } from "../../src/importance/index.ts";
import { complement } from "../../src/linalg/gather.ts";
import { invertSpd } from "../../src/linalg/invert.ts";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { leastSquares } from "../../src/recover/least-squares.ts";
import { type Layer, makeLayer, outputEnergyOf, squaredError, widen } from "../recover/layer.ts";

/** Six query heads of three elements, two for each of three key-value heads. */
const SHAPE = { numAttentionHeads: 6, numKeyValueHeads: 3, headDim: 3 };
const layer = makeLayer(18, 8, 200);
const context = { gemm, random: () => 0.5 };
const costsOf = (criterion: CriterionName, over: object = {}) =>
  criteria[criterion].blockCosts!(layer, { ...layer, ...over }, SHAPE.headDim, context);

const elementsOf = (heads: readonly number[]): Int32Array =>
  Int32Array.from(heads.flatMap((head) => [0, 1, 2].map((i) => head * 3 + i)));

/** ‖ZWᵀ − Z_K Ŵᵀ‖² without some heads, after the best refit of the others. */
async function errorWithout(layer: Layer, heads: readonly number[]): Promise<number> {
  const kept = complement(elementsOf(heads), layer.inputSize);
  const { weight } = await leastSquares.recover(layer, inMemory(layer), kept, { gemm, ridge: 1e-9 });
  return squaredError(layer, widen(layer, kept, weight));
}

describe("the cost of a head", () => {
  test("is the error that is left when the others are refitted, whichever goes first", async () => {
    for (const head of [0, 3, 5]) {
      const costs = await costsOf("obs");
      const cost = await costs.cost({ start: 3 * head, end: 3 * head + 3 });
      expect(cost / (await errorWithout(layer, [head]))).toBeCloseTo(1, 2);
    }
  });

  test("adds up to the error without all that went", async () => {
    const costs = await costsOf("obs");
    let sum = 0;
    for (const head of [4, 1]) {
      const block = { start: 3 * head, end: 3 * head + 3 };
      sum += await costs.cost(block);
      await costs.remove(block);
    }
    expect(sum / (await errorWithout(layer, [1, 4]))).toBeCloseTo(1, 2);
    const together = await (await costsOf("obs")).cost({ start: 3, end: 6 });
    expect(together / (await errorWithout(layer, [1]))).toBeCloseTo(1, 2);
  });

  test("of all of them is the whole output, in any order", async () => {
    const { costs } = await removeHeads(await costsOf("obs"), SHAPE, { kvGroups: 0, heads: 2 });
    expect(costs.reduce((a, b) => a + b) / outputEnergyOf(layer)).toBeCloseTo(1, 2);
  });

  test("in the metric of the loss is that of the outputs seen through its square root", async () => {
    // S = diag(4, 0, …): only the first output counts, its square four times; damping lets the others in a little
    const fisherFactor = new Float32Array(64);
    fisherFactor[0] = 4;
    const first = { weight: layer.weight.slice(0, layer.inputSize), inputSize: layer.inputSize, outputSize: 1 };
    const own = await criteria.obs.blockCosts!(first, layer, 3, context);
    const block = { start: 6, end: 9 };
    const plain = await (await costsOf("obs")).cost(block);
    const expected = 4 * (await own.cost(block)) + 0.02 * 0.5 * plain;
    expect((await (await costsOf("loss", { fisherFactor })).cost(block)) / expected).toBeCloseTo(1, 4);
  });
});

describe("the heads that stay", () => {
  const errors = async (sets: readonly (readonly number[])[]) =>
    Promise.all(sets.map((set) => errorWithout(layer, set)));

  test("without one head of each group: as many in each, group by group, no worse than the greedy choice by refitting", async () => {
    const { heads, keyValueHeads } = await removeHeads(await costsOf("obs"), SHAPE, { kvGroups: 0, heads: 1 });
    expect([...keyValueHeads]).toEqual([0, 1, 2]);
    expect([...heads].map((head) => Math.floor(head / 2))).toEqual([0, 1, 2]);
    const gone: number[] = [];
    for (const pending = new Set([0, 1, 2]); pending.size > 0; ) {
      const candidates = [...pending].flatMap((group) => [2 * group, 2 * group + 1]);
      const costs = await errors(candidates.map((head) => [...gone, head]));
      const best = candidates[costs.indexOf(Math.min(...costs))]!;
      gone.push(best);
      pending.delete(Math.floor(best / 2));
    }
    expect([...complement(heads, 6)]).toEqual(gone.sort((a, b) => a - b));
  });

  test("without a group: the cheapest goes with its heads", async () => {
    const { heads, keyValueHeads } = await removeHeads(await costsOf("obs"), SHAPE, { kvGroups: 1, heads: 0 });
    const costs = await errors([0, 1, 2].map((group) => [2 * group, 2 * group + 1]));
    const gone = costs.indexOf(Math.min(...costs));
    expect([...keyValueHeads]).toEqual([0, 1, 2].filter((group) => group !== gone));
    expect([...complement(heads, 6)]).toEqual([2 * gone, 2 * gone + 1]);
  });

  test("a group and a head of each other group", async () => {
    const { heads, keyValueHeads } = await removeHeads(await costsOf("obs"), SHAPE, { kvGroups: 1, heads: 1 });
    expect([...heads].map((head) => Math.floor(head / 2))).toEqual([...keyValueHeads]);
    expect(keyValueHeads).toHaveLength(2);
  });

  test("with mask tuning a head has one scale: its cost is the growth of the tuned error", async () => {
    // Q of heads: inner products of what each head writes
    const written = Array.from({ length: 6 }, (_, head) =>
      Array.from({ length: layer.tokenCount * layer.outputSize }, (_, at) => {
        const [token, out] = [Math.floor(at / layer.outputSize), at % layer.outputSize];
        return [0, 1, 2].reduce((sum, i) => {
          const element = 3 * head + i;
          return sum + layer.z[token * layer.inputSize + element]! * layer.weight[out * layer.inputSize + element]!;
        }, 0);
      }),
    );
    const system = new Float64Array(36).map((_, at) => {
      const [left, right] = [written[Math.floor(at / 6)]!, written[at % 6]!];
      return left.reduce((sum, value, i) => sum + value * right[i]!, 0);
    });
    await invertSpd(gemm, system, 6);
    const costs = await costsOf("condition");
    for (const head of [0, 2, 5])
      expect((await costs.cost({ start: 3 * head, end: 3 * head + 3 })) * system[7 * head]!).toBeCloseTo(1, 2);
  });
});

test("costs that are not finite are told", async () => {
  const costs = refittedCosts(gemm, Float64Array.of(1, 0, 0, 1), new Float64Array(4).fill(Number.NaN));
  await expect(costs.cost({ start: 0, end: 1 })).rejects.toThrow("a head's removal would cost NaN");
});
