import { describe, expect, test } from "vitest";
import { measureWeightSensitivities } from "../../src/sensitivity/first-order.ts";
import { methodOf } from "../helpers/method.ts";
import { exactScratch, openTiny, testRun, tinyWindows } from "../helpers/run.ts";

/** Σ |w · ∂L/∂w| of the first three neurons of each layer by torch.autograd; test/fixtures/make-sensitivities.py prints them. */
const EXPECTED: Record<string, number[][]> = {
  llama: [
    [5.61739, 5.83891, 3.41574],
    [2.48983, 1.22364, 1.83661],
    [1.61897, 1.62158, 3.05726],
  ],
  "llama-bias": [
    [5.58664, 5.51186, 6.54774],
    [1.82513, 2.26871, 3.65287],
    [4.60271, 3.62219, 2.1635],
  ],
  gemma3: [
    [12.7041, 29.7825, 23.3966],
    [4.03228, 6.27799, 4.71065],
    [7.68364, 8.46186, 5.26918],
  ],
};

/** The same of the query heads' elements 0, 1 and last. */
const EXPECTED_OF_HEADS: Record<string, number[][]> = {
  llama: [
    [19.1758, 13.8214, 9.13993],
    [7.61713, 6.09909, 6.35506],
    [4.27938, 10.7388, 4.40199],
  ],
  "llama-bias": [
    [9.51042, 13.2872, 16.0111],
    [6.96161, 6.51216, 3.48357],
    [2.46161, 6.83546, 3.15857],
  ],
  gemma3: [
    [76.2141, 76.8745, 42.7723],
    [22.5105, 15.6603, 16.7909],
    [9.08254, 12.1687, 8.46704],
  ],
};

describe.each(Object.keys(EXPECTED))("%s", (family) => {
  test("the sensitivity of neurons and heads is that of torch.autograd", async () => {
    const { model, close } = await openTiny(family);
    const run = testRun({ scratch: exactScratch() });
    const method = methodOf({ preset: "llm-pruner" }, model.spec);
    const found = await measureWeightSensitivities(run, { model, windows: tinyWindows(family), method });
    for (const [index, { mlp, attention }] of found) {
      const ofNeurons = await mlp!.read();
      EXPECTED[family]![index]!.forEach((value, neuron) => {
        expect(ofNeurons[neuron]! / value).toBeCloseTo(1, 4);
      });
      const ofHeads = await attention!.read();
      EXPECTED_OF_HEADS[family]![index]!.forEach((value, i) => {
        expect(ofHeads.at([0, 1, -1][i]!)! / value).toBeCloseTo(1, 4);
      });
    }
    expect([...found.keys()].sort()).toEqual([0, 1, 2]);
    await Promise.all([run.scratch.clear(), close()]);
  });
});

test("attentions are left out where only neurons go; progress counts layers, from the last", async () => {
  const { model, close } = await openTiny("llama");
  const run = testRun({ scratch: exactScratch() });
  const method = methodOf({ preset: "llm-pruner", prune: "mlp" }, model.spec);
  const found = await measureWeightSensitivities(run, { model, windows: tinyWindows("llama"), method });
  expect([...found.values()].map(({ attention }) => attention)).toEqual([undefined, undefined, undefined]);
  expect(run.events).toEqual([0, 1, 2, 3].map((done) => ({ type: "stage", name: "gradient", done, total: 3 })));
  await Promise.all([run.scratch.clear(), close()]);
});
