// The ranking of all neurons against scores computed from each layer's own statistics.

import { afterAll, describe, expect, test } from "vitest";
import { projectionOf } from "../../src/forward/graphs/decoder-layer.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { nthRandom } from "../../src/linalg/random.ts";
import type { Model } from "../../src/model/model.ts";
import { readLayer } from "../../src/model/read-layer.ts";
import { layerIndices } from "../../src/model/spec/layer-index.ts";
import { resized } from "../../src/model/spec/parts.ts";
import { measureWeightSensitivities } from "../../src/sensitivity/first-order.ts";
import { rankAllLayers, standardized } from "../../src/sensitivity/global-ranking.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, testRun, tinyWindows } from "../helpers/run.ts";

const run = testRun();
const tiny = await openTiny("llama");
const { model, runner } = tiny;
afterAll(() => Promise.all([run.scratch.clear(), tiny.close()]));

const windows = tinyWindows("llama");
const methodWith = (options: object) =>
  methodOf({ allocation: "global", recovery: "none", prune: "mlp", ...options }, model.spec);

/** Order and standardised costs by hand, of scores of which the lowest go first. */
function ranked(scores: readonly number[]): { order: number[]; costs: number[] } {
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (scores.length - 1);
  return { order: order.slice(0, -1), costs: order.slice(0, -1).map((j) => (scores[j]! - mean) / Math.sqrt(variance)) };
}

test("each layer is scored by what the dense model feeds it, all but its last neuron, in units that compare", async () => {
  const told = testRun();
  const removals = await rankAllLayers(told, { model, windows, method: methodWith({ criterion: "wanda" }) }, new Map());
  const states = await embed(model, windows);
  for (const index of layerIndices(model.spec)) {
    const layer = await readLayer(model, index);
    await runner.sublayer("attention", layer, states);
    const wanted = { tokenScale: false, holdsOut: false };
    const { gram } = (await runner.projectionStatistics("mlp", layer, states, wanted)).statistics;
    const { weight } = projectionOf("mlp", layer);
    const columnNorm = (j: number): number => Math.hypot(...Array.from({ length: 32 }, (_, i) => weight[80 * i + j]!));
    const scores = Array.from({ length: 80 }, (_, j) => Math.sqrt(gram[81 * j]!) * columnNorm(j));
    const expected = ranked(scores);
    expect([...removals[index]!.order]).toEqual(expected.order);
    expected.costs.forEach((cost, i) => {
      expect(removals[index]!.costs[i]).toBeCloseTo(cost, 4);
    });
    await runner.sublayer("mlp", layer, states);
  }
  expect(told.events).toEqual([0, 1, 2].map((done) => ({ type: "stage", name: "neuron-importance", done, total: 3 })));
});

test("a criterion that looks at weights to first order is shown those of each layer", async () => {
  const request = { model, windows, method: methodWith({ criterion: "taylor" }) };
  const sensitivities = await measureWeightSensitivities(run, request);
  const removals = await rankAllLayers(run, request, sensitivities);
  for (const [index, { mlp }] of sensitivities)
    expect([...removals[index]!.order]).toEqual(ranked([...(await mlp!.read())]).order);
});

test("each layer is drawn for by numbers of its own", async () => {
  const removals = await rankAllLayers(
    run,
    { model, windows, method: methodWith({ criterion: "random", seed: 3 }) },
    new Map(),
  );
  for (const [index, { order }] of removals.entries()) {
    const random = nthRandom(3, index);
    expect([...order]).toEqual(ranked(Array.from({ length: 80 }, () => random.nextFloat())).order);
  }
});

test("a layer without MLP has nothing to rank", async () => {
  const layers = model.spec.layers.with(1, resized(model.spec.layers[1]!, { intermediateSize: 0 }));
  const lacking: Model = { ...model, spec: { ...model.spec, layers } };
  const removals = await rankAllLayers(
    run,
    { model: lacking, windows, method: methodWith({ criterion: "magnitude" }) },
    new Map(),
  );
  expect(removals.map(({ order }) => order.length)).toEqual([79, 0, 79]);
});

describe("standardised scores", () => {
  test("have mean 0 and deviation 1, with n − 1 as torch has it", () => {
    // mean 5, squared deviations 9 + 1 + 1 + 9 = 20, deviation √(20 / 3)
    const deviation = Math.sqrt(20 / 3);
    expect([...standardized(Float64Array.of(2, 4, 6, 8))]).toEqual([-3, -1, 1, 3].map((gap) => gap / deviation));
  });

  test("do not know the scale and the origin of a layer's scores", () => {
    const scores = Float64Array.of(1, 5, 2, 7);
    standardized(scores.map((score) => 100 * score - 3)).forEach((score, i) => {
      expect(score).toBeCloseTo(standardized(scores)[i]!, 12);
    });
  });

  test("that are all the same, or only one, are 0", () => {
    expect([...standardized(Float64Array.of(5, 5, 5))]).toEqual([0, 0, 0]);
    expect([...standardized(Float64Array.of(5))]).toEqual([0]);
  });
});
