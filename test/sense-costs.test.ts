// What parts cost, against models that lack them from the first layer to the last.
import { afterAll, describe, expect, test } from "vitest";
import { headSteps } from "../src/allocation/curves.ts";
import { backendGemm } from "../src/compute/gemm.ts";
import { compareHeads } from "../src/forward/head.ts";
import { embed, joined } from "../src/forward/hidden-states.ts";
import { LayerRunner } from "../src/forward/layer-runner.ts";
import { runLayers } from "../src/forward/layer-stream.ts";
import type { LayerSizes } from "../src/model/layer-sizes.ts";
import { openModel } from "../src/model/model.ts";
import { nodeBackend } from "../src/node/backend.ts";
import { openPath } from "../src/node/open-path.ts";
import { scratchFolder } from "../src/node/scratch-folder.ts";
import { senseCosts } from "../src/sense-costs.ts";
import { expectedLogits, tinyPath } from "./helpers/fixtures.ts";

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

async function costs(scope: "mlp" | "all") {
  const settings = { heads: true, seed: 0, ridge: 1e-3, collectGarbage: () => {} };
  const request = { backend, gemm: backendGemm(backend), model, windows, scratch, ...settings };
  const sensed = senseCosts(request, scope);
  for (;;) {
    const step = await sensed.next();
    if (step.done) return step.value;
  }
}

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
