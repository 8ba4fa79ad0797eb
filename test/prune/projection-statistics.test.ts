import { expect, test } from "vitest";
import { embed } from "../../src/forward/run/hidden-states.ts";
import { LayerRunner } from "../../src/forward/run/layer-runner.ts";
import { inputSize } from "../../src/forward/run/projection-sums.ts";
import { openModel } from "../../src/model/model.ts";
import { readLayer } from "../../src/model/read-layer.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { openPath } from "../../src/node/open-path.ts";
import { type HalfStates, projectionStatistics } from "../../src/prune/projection-statistics.ts";
import { expectedLogits, tinyPath } from "../helpers/fixtures.ts";

test("sums are held out where text is scarce, a target is there, and the ridge may be chosen", async () => {
  const checkpoint = await openPath(tinyPath("llama"));
  const model = await openModel(checkpoint);
  const runner = new LayerRunner(nodeBackend(1), model.spec);
  const windows = { ids: Int32Array.from(expectedLogits("llama").ids.flat()), count: 2, length: 24 };
  const [layer, weights] = [model.spec.layers[0]!, await readLayer(model, 0)];
  const states = await embed(model, windows);
  const few: HalfStates = { states, target: states, scaled: false, tokenCount: windows.ids.length, choosesRidge: true };
  const heldOutOf = async (job: HalfStates) => (await projectionStatistics(runner, "mlp", layer, weights, job)).heldOut;
  expect((await heldOutOf(few))!.gram).toHaveLength(layer.intermediateSize ** 2);
  expect(await heldOutOf({ ...few, tokenCount: 10 * inputSize(model.spec, layer, "mlp") })).toBeUndefined();
  expect(await heldOutOf({ ...few, target: undefined })).toBeUndefined();
  expect(await heldOutOf({ ...few, choosesRidge: false })).toBeUndefined();
  await Promise.all([runner.release(), checkpoint.close()]);
});
