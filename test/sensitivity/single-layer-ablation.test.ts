// What one changed layer does to the prediction, against models that have it changed from the first layer to the last and a
// divergence computed from their logits.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../../src/model/model.ts";
import { type LayerSizes, resized } from "../../src/model/spec/parts.ts";
import type { Sublayer } from "../../src/model/spec/roles.ts";
import { type TokenWindows, windowsBetween } from "../../src/model/spec/token-windows.ts";
import { ablateLayers, measureAblations, withoutPart } from "../../src/sensitivity/single-layer-ablation.ts";
import { divergences, logProbabilities, mean } from "../helpers/divergence.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun } from "../helpers/run.ts";

const tiny = await openTiny("llama");
const { model, runner } = tiny;
afterAll(() => tiny.close());

const GONE = { intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 };
const method = methodOf({}, model.spec);
const requestOn = (windows: TokenWindows) => ({ model, windows, method });

/** KL divergence of a changed model from the dense one, at each place of the windows. */
const divergencesOf = async (changed: Model, windows: TokenWindows, dense = model): Promise<number[]> =>
  divergences(await logProbabilities(runner, dense, windows), await logProbabilities(runner, changed, windows));

const withSizes = (index: number, sizes: Partial<LayerSizes>): Model => {
  const layers = model.spec.layers.with(index, resized(model.spec.layers[index]!, sizes));
  return { ...model, spec: { ...model.spec, layers } };
};

describe("an ablation", () => {
  const windows = someWindows(4, 24);

  test.each<[string, Sublayer[], Partial<LayerSizes>]>([
    ["of a whole layer", ["attention", "mlp"], GONE],
    ["of an attention", ["attention"], { numAttentionHeads: 0, numKeyValueHeads: 0 }],
    ["of an MLP", ["mlp"], { intermediateSize: 0 }],
  ])("%s costs the divergence of the model without it", async (_, parts, sizes) => {
    const found = await measureAblations(testRun(), requestOn(windows), 96, withoutPart(...parts));
    expect(found).toHaveLength(3);
    for (const [index, cost] of found.entries())
      expect(cost).toBeCloseTo(mean(await divergencesOf(withSizes(index, sizes), windows)), 5);
  });

  test("is measured on the last windows, as many as hold the tokens asked for", async () => {
    const found = await measureAblations(testRun(), requestOn(windows), 50, withoutPart("attention", "mlp"));
    const last = windowsBetween(windows, 2, 4);
    expect(found[1]).toBeCloseTo(mean(await divergencesOf(withSizes(1, GONE), last)), 5);
  });

  test("that leaves a layer as it is costs nothing, and shifts no other's cost", async () => {
    const all = await measureAblations(testRun(), requestOn(windows), 96, withoutPart("attention", "mlp"));
    const run = testRun();
    const some = await measureAblations(run, requestOn(windows), 96, async (index, layer) =>
      index === 1 ? undefined : withoutPart("attention", "mlp")(index, layer),
    );
    expect(some).toEqual([all[0], 0, all[2]]);
    expect(run.events).toEqual([0, 1, 2].map((done) => ({ type: "stage", name: "ablation", done, total: 3 })));
  });

  test("is judged on every fourth token where the head would take longer than the layers", async () => {
    // 2 · 96 · 32 of the head against half of 3,072 of the one attention that is left
    const layers = [resized(model.spec.layers[0]!, { intermediateSize: 0 })];
    const small: Model = { ...model, spec: { ...model.spec, layers } };
    const without: Model = { ...model, spec: { ...model.spec, layers: [] } };
    const request = { model: small, windows, method };
    const [cost] = await measureAblations(testRun(), request, 96, withoutPart("attention", "mlp"));
    const all = await divergencesOf(without, windows, small);
    expect(cost).toBeCloseTo(mean(all.filter((_, token) => token % 4 === 3)), 5);
    expect(Math.abs(mean(all) - cost!)).toBeGreaterThan(1e-4);
  });

  test("stops at the signal", async () => {
    const run = testRun({ signal: AbortSignal.abort() });
    await expect(measureAblations(run, requestOn(windows), 96, withoutPart("attention", "mlp"))).rejects.toThrow(
      /abort/i,
    );
  });
});

describe("layers", () => {
  const windows = someWindows(60, 24); // the rough look takes the last 10 of them, the close one the last 42
  let [rough, close]: [number[], number[]] = [[], []];
  beforeAll(async () => {
    rough = await measureAblations(testRun(), requestOn(windows), 256, withoutPart("attention", "mlp"));
    close = await measureAblations(testRun(), requestOn(windows), 1024, withoutPart("attention", "mlp"));
  });

  test("are all looked at closely where they are few", async () => {
    expect(await ablateLayers(testRun(), requestOn(windows))).toEqual(close);
  });

  test.each([1, 2])(
    "of which %i are looked at closely: the others count as no cheaper than any of these",
    async (count) => {
      const cheapest = [...rough.keys()].sort((a, b) => rough[a]! - rough[b]!).slice(0, count);
      const most = Math.max(...cheapest.map((index) => close[index]!));
      const expected = rough.map((cost, index) => (cheapest.includes(index) ? close[index] : Math.max(cost, most)));
      expect(await ablateLayers(testRun(), requestOn(windows), count)).toEqual(expected);
    },
  );
});
