import { afterAll, beforeAll, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { tensor } from "../../src/compute/tensor.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { putOff, readLayer } from "../../src/model/read-layer.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import { takeRows } from "../../src/model/take-rows.ts";
import { collectAllGarbage } from "../../src/node/garbage.ts";
import { openPath } from "../../src/node/open-path.ts";

let checkpoint: Checkpoint;
let model: Model;
beforeAll(async () => {
  checkpoint = await openPath("models/demo");
  model = await openModel(checkpoint);
});
afterAll(() => checkpoint.close());

test("weights that are put off leave memory, and are read again as they were, but for those that are new", async () => {
  const { weights: dense } = await readLayer(model, 1 as LayerIndex);
  const take = () => takeRows(dense, ["gateProj"], Int32Array.of(1, 5, 6)).gateProj!;
  const double = () =>
    tensor(
      dense.downProj!.data.map((value) => 2 * value),
      dense.downProj!.shape,
    );
  const put = () => {
    const weights = {
      gateProj: take(),
      upProj: { ...dense.upProj!, data: dense.upProj!.data.slice() },
      downProj: double(),
    };
    const [gate, up, down] = Object.values(weights).map(({ data }) => new WeakRef(data));
    return { read: putOff(model, weights), gone: [gate, up], stays: down };
  };
  const { read, gone, stays } = put();
  await new Promise(setImmediate);
  collectAllGarbage();
  expect(gone.map((data) => data!.deref())).toEqual([undefined, undefined]);
  expect(stays!.deref()).toBeDefined();
  expect(await read()).toEqual({ gateProj: take(), upProj: dense.upProj, downProj: double() });
});
