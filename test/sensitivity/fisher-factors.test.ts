import { afterAll, expect, test } from "vitest";
import { sampledLabels } from "../../src/forward/backward/labels.ts";
import { type LayerMoments, secondMoments } from "../../src/forward/backward/second-moments.ts";
import { createRandom } from "../../src/linalg/random.ts";
import { windowsBetween } from "../../src/model/spec/token-windows.ts";
import { measureFisherFactors, sweepMoments } from "../../src/sensitivity/fisher-factors.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun } from "../helpers/run.ts";

const run = testRun();
const tiny = await openTiny("llama");
const { model, runner } = tiny;
afterAll(() => Promise.all([run.scratch.clear(), tiny.close()]));

const methodWith = (options: object) => methodOf({ seed: 7, ...options }, model.spec);

test("the factors are second moments of gradients at labels drawn by the seed, on the first windows that hold the tokens", async () => {
  const windows = someWindows(6, 24);
  const visited: number[] = [];
  const told = testRun({ scratch: run.scratch });
  const factors = await sweepMoments(told, { model, windows, method: methodWith({}) }, 100, async ({ index, mlp }) => {
    visited.push(index);
    expect(mlp!.activations!.tokenCount).toBe(96);
  });
  expect(visited).toEqual([2, 1, 0]);
  expect(told.events).toEqual([0, 1, 2, 3].map((done) => ({ type: "stage", name: "gradient", done, total: 3 })));
  const found: LayerMoments[] = [];
  const labels = sampledLabels(createRandom(7).nextFloat, 96);
  const direct = { runner, model, windows: windowsBetween(windows, 0, 4), scratch: run.scratch, labels };
  await secondMoments(direct, { attention: true, activations: false }, async (moments) => void found.push(moments));
  for (const { index, mlp, attention } of found) {
    const stored = factors.get(index)!;
    expect(await stored.mlp!.read()).toEqual(mlp!.fisherFactor);
    expect(await stored.attention!.read()).toEqual(attention!.fisherFactor);
  }
});

test("those of attentions are left out where only neurons ask for them", async () => {
  const windows = someWindows(2, 24);
  const factors = await measureFisherFactors(run, {
    model,
    windows,
    method: methodWith({ recovery: "least-squares" }),
  });
  expect([...factors.values()].map((of) => Object.keys(of))).toEqual([["mlp"], ["mlp"], ["mlp"]]);
});
