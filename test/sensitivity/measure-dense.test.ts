// Which measures a method makes the dense model go through, and that they are the measures' own.
import { afterAll, describe, expect, test } from "vitest";
import { embed } from "../../src/forward/run/embed.ts";
import { BlockInfluence } from "../../src/importance/block-influence.ts";
import { readLayer } from "../../src/model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../../src/model/spec/layer-index.ts";
import { measureWeightSensitivities } from "../../src/sensitivity/first-order.ts";
import { rankAllLayers } from "../../src/sensitivity/global-ranking.ts";
import { measureDense } from "../../src/sensitivity/measure-dense.ts";
import { ablateLayers } from "../../src/sensitivity/single-layer-ablation.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, testRun, tinyWindows } from "../helpers/run.ts";

const run = testRun();
const tiny = await openTiny("llama");
const { model, runner } = tiny;
afterAll(() => Promise.all([run.scratch.clear(), tiny.close()]));

const windows = tinyWindows("llama");
const requestOf = (options: object) => ({ model, windows, method: methodOf(options, model.spec) });

async function measure(options: object, sparsities = [0.2]) {
  const told = testRun({ scratch: run.scratch });
  const { findings, sensitivities } = await measureDense(told, requestOf(options), sparsities);
  const stages = told.events.flatMap((event) => (event.type === "stage" ? [event.name] : []));
  const { mlp, attention } = sensitivities.get(0 as LayerIndex)!;
  return { findings, sensitivities, stages: [...new Set(stages)], mlp: mlp!, attention: attention! };
}

describe("a method", () => {
  test.each<[string, object, string[]]>([
    ["that knows all from the headers measures nothing", { preset: "wanda-sp" }, []],
    ["that searches a split weighs layers and their gradients", {}, ["ablation", "gradient"]],
    ["whose layers are named leaves them unweighed", { layers: [1] }, ["gradient"]],
    [
      "that ranks layers by what they turn sends the text through once",
      { preset: "osscar", layers: 1 },
      ["layer-importance"],
    ],
    ["that ranks neurons by gradients looks for these", { preset: "llm-pruner" }, ["gradient"]],
    ["that ranks all neurons at once scores them all", { preset: "flap" }, ["neuron-importance"]],
    ["that compares layers by loss measures cuts", { widths: "per-layer" }, ["gradient", "ablation"]],
  ])("%s", async (_, options, stages) => {
    expect((await measure({ widths: undefined, ...options })).stages).toEqual(stages);
  });

  test("weighs layers as soon as one sparsity needs it", async () => {
    const options = { preset: "osscar", layers: "half" };
    expect((await measure(options, [0.1])).findings.influences).toBeUndefined();
    expect((await measure(options, [0.1, 0.9])).findings.influences).toHaveLength(3);
  });
});

describe("what is found", () => {
  test("of layers is Block Influence by default, and the divergence without each where the loss counts", async () => {
    const states = await embed(model, windows);
    for (const [index, found] of (await measure({ preset: "osscar", layers: 1 })).findings.influences!.entries()) {
      const before = states.all.slice();
      await runner.layer(await readLayer(model, layerIndices(model.spec)[index]!), states);
      const influence = new BlockInfluence(32);
      influence.add(before, states.all);
      expect(found).toBe(influence.mean);
    }
    expect((await measure({ layers: 1 })).findings.influences).toEqual(await ablateLayers(testRun(), requestOf({})));
  });

  test("of all neurons at once are orders, and costs that compare", async () => {
    const { findings } = await measure({ preset: "flap" });
    const removals = await rankAllLayers(testRun(), requestOf({ preset: "flap" }), new Map());
    expect(findings.orders).toEqual(removals.map(({ order }) => order));
    expect(findings.costs!.map(({ neurons }) => neurons)).toEqual(removals.map(({ costs }) => costs));
  });

  test("of gradients is kept for the sublayers that need it", async () => {
    const best = await measure({});
    expect(await best.mlp.fisherFactor!.read()).toHaveLength(32 * 32);
    expect(await best.attention.fisherFactor!.read()).toHaveLength(32 * 32);
    expect([best.mlp.weights, best.attention.weights]).toEqual([undefined, undefined]);
    const taylor = await measure({ preset: "llm-pruner", prune: "mlp" });
    const direct = await measureWeightSensitivities(
      testRun({ scratch: run.scratch }),
      requestOf({ preset: "llm-pruner" }),
    );
    expect(await taylor.mlp.weights!.read()).toEqual(await direct.get(0 as LayerIndex)!.mlp!.read());
    expect([taylor.mlp.fisherFactor, taylor.attention.weights]).toEqual([undefined, undefined]);
  });
});
