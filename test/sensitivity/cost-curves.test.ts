// What parts cost, against models that lack them from the first layer to the last.
import { afterAll, describe, expect, test } from "vitest";
import { headSteps } from "../../src/allocation/curves.ts";
import { backendGemm } from "../../src/compute/gemm.ts";
import { compareHeads } from "../../src/forward/run/head.ts";
import { embed, joined } from "../../src/forward/run/hidden-states.ts";
import { LayerRunner } from "../../src/forward/run/layer-runner.ts";
import { runLayers } from "../../src/forward/run/layer-stream.ts";
import type { LayerSizes } from "../../src/model/config/layer-sizes.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { openPath } from "../../src/node/open-path.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";
import { senseCosts } from "../../src/sensitivity/cost-curves.ts";
import { measureLayers } from "../../src/sensitivity/layer-ablation.ts";
import { expectedLogits, tinyPath } from "../helpers/fixtures.ts";

const checkpoint = await openPath(tinyPath("llama"));
const model = await openModel(checkpoint);
const backend = nodeBackend(1);
const windows = { ids: Int32Array.from(expectedLogits("llama").ids.flat()), count: 2, length: 24 };
const scratch = scratchFolder();
afterAll(() => Promise.all([checkpoint.close(), scratch.clear()]));

/** KL divergence of the model with other sizes in one layer. */
async function divergenceWith(index: number, sizes: Partial<LayerSizes>): Promise<number> {
  const layers = model.spec.layers.with(index, { ...model.spec.layers[index]!, ...sizes });
  const changed = { ...model, spec: { ...model.spec, layers } };
  const runner = new LayerRunner(backend, model.spec);
  const [dense, own] = [await embed(model, windows), await embed(model, windows)];
  await runLayers(runner, model, dense);
  await runLayers(runner, changed, own);
  const reference = { model, hidden: joined(dense) };
  const [compared] = await compareHeads(runner.programs, model, [joined(own)], reference, windows.ids);
  await runner.release();
  const { divergence } = compared!;
  return divergence.reduce((sum, value) => sum + value, 0) / divergence.length;
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

const settings = { heads: true, seed: 0, ridge: 1e-3, collectGarbage: () => {} };
const request = { backend, gemm: backendGemm(backend), model, windows, scratch, ...settings };

async function resultOf<T>(steps: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const step = await steps.next();
    if (step.done) return step.value;
  }
}

const costs = (scope: "mlp" | "all") => resultOf(senseCosts(request, scope));

describe("the costs of a layer", () => {
  test("of its attention and of its MLP add up to the divergence of the model without them", async () => {
    for (const [index, { neurons, restOfMlp, heads }] of (await costs("all")).entries()) {
      const withoutAttention = await divergenceWith(index, { numAttentionHeads: 0, numKeyValueHeads: 0 });
      expect(heads).toHaveLength(headSteps(model.spec.layers[index]!).length);
      expect(sum(heads)).toBeCloseTo(Math.max(withoutAttention, heads[0]!), 6);
      const withoutMlp = await divergenceWith(index, { intermediateSize: 0 });
      expect(neurons).toHaveLength(60);
      expect(sum(neurons) + restOfMlp!).toBeCloseTo(Math.max(withoutMlp, sum(neurons)), 6);
    }
  });

  test("are those of the neurons alone where nothing else may go", async () => {
    for (const { neurons, restOfMlp, heads } of await costs("mlp")) {
      expect(neurons).toHaveLength(60);
      expect([restOfMlp, heads.length]).toEqual([undefined, 0]);
    }
  });
});

describe("whole layers", () => {
  const gone = { intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 };

  test("cost the divergence of the model without them", async () => {
    for (const [index, cost] of (await resultOf(measureLayers(request))).entries())
      expect(cost).toBeCloseTo(await divergenceWith(index, gone), 6);
  });

  test("that are not among the cheapest cost no less than these, on however little text they were measured", async () => {
    const ids = Int32Array.from({ length: 60 * 24 }, (_, i) => (i * i * 7 + 3 * i) % model.spec.vocabSize);
    const many = { ...request, windows: { ids, count: 60, length: 24 } };
    const [all, one] = [await resultOf(measureLayers(many)), await resultOf(measureLayers(many, 1))];
    const cheapest = one.indexOf(Math.min(...one));
    expect(one[cheapest]).toBe(all[cheapest]);
    expect(one).toHaveLength(model.spec.layers.length);
    const others = [...one.keys()].filter((index) => index !== cheapest);
    expect(others.some((index) => one[index] !== all[index])).toBe(true);
  });
});
