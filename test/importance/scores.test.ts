// The one-shot criteria against their definitions, token by token.
import { expect, test } from "vitest";
import { criteria } from "../../src/importance/index.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { makeLayer } from "../recover/layer.ts";

const layer = makeLayer();
const { z, downProj, hiddenSize, size, tokenCount } = layer;
const empty = new Float32Array(0);
const mlp = { gateProj: empty, upProj: empty, downProj, hiddenSize, intermediateSize: size };

/** The scores of all neurons, by neuron. */
async function scoresOf(name: keyof typeof criteria, over: object = {}): Promise<number[]> {
  const { order, costs } = await criteria[name].rank(mlp, { ...layer, ...over }, size, { gemm, random: Math.random });
  expect([...costs]).toEqual([...costs].sort((a, b) => a - b));
  const scores: number[] = [];
  for (const [i, neuron] of order.entries()) scores[neuron] = costs[i]!;
  return scores;
}

test("fluctuation is the mean squared output error of a neuron replaced by its mean", async () => {
  const scores = await scoresOf("fluctuation");
  for (let j = 0; j < size; j++) {
    const values = Array.from({ length: tokenCount }, (_, t) => z[t * size + j]!);
    const mean = values.reduce((a, b) => a + b) / tokenCount;
    let error = 0;
    for (const value of values)
      for (let i = 0; i < hiddenSize; i++) error += ((value - mean) * downProj[i * size + j]!) ** 2;
    expect(scores[j]! / (error / tokenCount)).toBeCloseTo(1, 4);
  }
});

test("taylor takes what the backward sweep found", async () => {
  const weightSensitivity = Float32Array.from({ length: size }, (_, j) => ((7 * j) % size) + 0.5);
  expect(await scoresOf("taylor", { weightSensitivity })).toEqual([...weightSensitivity]);
});

test("one-shot are those whose score of a neuron does not depend on the others", () => {
  const names = Object.values(criteria).flatMap(({ name, oneShot }) => (oneShot ? [name] : []));
  expect(names).toEqual(["wanda", "fluctuation", "taylor", "magnitude", "random"]);
});
