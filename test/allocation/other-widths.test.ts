import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { neuronsOnly } from "../../src/allocation/curves.ts";
import { equalOverOwn, ownOverEqual } from "../../src/allocation/other-widths.ts";
import { equalSpec, perLayerSpec } from "../../src/allocation/plan.ts";
import { pruneOptions } from "../../src/method/presets.ts";
import { openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import type { PruneOptions } from "../../src/options/prune.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { pruneDemo } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const checkpoint = await openPath(DEMO_MODEL);
const { spec } = await openModel(checkpoint);
afterAll(() => checkpoint.close());
const options: PruneOptions = pruneOptions({ sparsity: 0.2, widths: "equal", multipleOf: 1 });
const keptLayers = [...spec.layers.keys()];
const equal = { keptLayers, spec: equalSpec(spec, keptLayers, options) };
const removed = 512 - equal.spec.layers[0]!.intermediateSize;

/** Costs that grow by 1 % a neuron, from another beginning in each layer. */
const curves = (first: (layer: number) => number, length: number): Float64Array[] =>
  keptLayers.map((layer) => Float64Array.from({ length }, (_, i) => first(layer) * 1.01 ** i));

test("layers that cost the same gain nothing by widths of their own", () => {
  const ratio = ownOverEqual(
    spec,
    equal,
    curves(() => 1, removed),
    options,
  );
  expect(ratio).toBeGreaterThan(0.99);
  expect(ratio).toBeLessThan(1.01);
});

test("both choices predict the same of each other", () => {
  const first = (layer: number): number => 1 + layer;
  const fromEqual = ownOverEqual(spec, equal, curves(first, removed), options)!;
  const costs = curves(first, 384).map(neuronsOnly);
  const own = { keptLayers, spec: perLayerSpec(spec, keptLayers, costs, { ...options, widths: "per-layer" }) };
  const fromOwn = equalOverOwn(spec, own, costs, options)!;
  expect(fromEqual).toBeLessThan(0.95);
  expect(fromEqual * fromOwn).toBeCloseTo(1, 1);
});

test("without costs of the neurons nothing is said", () =>
  expect(
    ownOverEqual(
      spec,
      equal,
      curves(() => 1, 0),
      options,
    ),
  ).toBeUndefined());

test("a run with equal widths tells what widths of their own would cost, one by another criterion does not", async () => {
  const folder = temporaryFolder();
  const setting = { sparsity: 0.2, widths: "equal", layers: 0 } as const;
  const byLoss = await pruneDemo({ ...setting, output: join(folder, "loss") });
  expect(byLoss.ownCostRatio).toBeGreaterThan(0.3);
  expect(byLoss.ownCostRatio).toBeLessThan(1);
  expect(byLoss.equalCostRatio).toBeUndefined();
  expect(
    (await pruneDemo({ ...setting, preset: "osscar", output: join(folder, "osscar") })).ownCostRatio,
  ).toBeUndefined();
});
