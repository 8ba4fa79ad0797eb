import { describe, expect, test } from "vitest";
import type { Tensor } from "../../../src/compute/tensor.ts";
import { embed, type HiddenBatch } from "../../../src/forward/run/hidden-states.ts";
import { LayerRunner } from "../../../src/forward/run/layer-runner.ts";
import { referenceGemm } from "../../../src/linalg/reference-gemm.ts";
import { openModel } from "../../../src/model/model.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import { nodeBackend } from "../../../src/node/backend.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { refitColumns } from "../../../src/recover/refit.ts";
import { expectedLogits, tinyPath } from "../../helpers/fixtures.ts";

const distance = (a: readonly HiddenBatch[], b: readonly HiddenBatch[]): number =>
  a.reduce((sum, { hidden }, i) => sum + hidden.data.reduce((s, v, j) => s + (v - b[i]!.hidden.data[j]!) ** 2, 0), 0);

const largest = ({ data }: Tensor<Float32Array>): number => data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

describe.each(["llama", "llama-bias", "qwen2", "gemma3"])("%s", (family) => {
  test.each(["attention", "mlp"] as const)(
    "the drift at the %s projection leads a disturbed stream back",
    async (half) => {
      const checkpoint = await openPath(tinyPath(family));
      const model = await openModel(checkpoint);
      const runner = new LayerRunner(nodeBackend(1), model.spec);
      const ids = Int32Array.from(expectedLogits(family).ids.flat());
      const windows = { ids, count: 2, length: 24 };
      const [layer, weights] = [model.spec.layers[0]!, await readLayer(model, 0)];
      const disturbed = async () => {
        const states = await embed(model, windows);
        for (const { hidden } of states)
          hidden.data.set(hidden.data.map((value, i) => value * (1 + 0.2 * Math.sin(i))));
        return states;
      };
      const run = async (states: HiddenBatch[], used = weights) => {
        await runner[half](layer, used, states);
        return states;
      };
      const target = await run(await embed(model, windows));
      const { gram, drift } = await runner.projectionSums(half, layer, weights, await disturbed(), {
        scaled: model.spec.sandwichNorms,
        target,
      });
      const role = half === "attention" ? "oProj" : "downProj";
      const { data, shape } = weights[role]!;
      const kept = Int32Array.from({ length: shape[1]! }, (_, j) => j);
      const system = { gram: gram.data, projection: data, hiddenSize: shape[0]!, kept, ridge: 1e-3, drift: drift.data };
      const refitted = { ...weights, [role]: { data: await refitColumns(referenceGemm, system), shape } };
      expect(largest(drift)).toBeGreaterThan(1e-3 * largest(gram));
      const undisturbed = await runner.projectionSums(half, layer, weights, await embed(model, windows), {
        scaled: model.spec.sandwichNorms,
        target,
      });
      expect(largest(undisturbed.drift)).toBeLessThan(1e-5 * largest(gram));
      const [before, after] = [await run(await disturbed()), await run(await disturbed(), refitted)];
      expect(distance(after, target)).toBeLessThan(0.8 * distance(before, target));
      await Promise.all([runner.release(), checkpoint.close()]);
    },
  );
});

test.each(["llama-bias", "gemma3"])("%s: what is held out is a part of the whole", async (family) => {
  const checkpoint = await openPath(tinyPath(family));
  const model = await openModel(checkpoint);
  const runner = new LayerRunner(nodeBackend(1), model.spec);
  const ids = Int32Array.from(expectedLogits(family).ids.flat());
  const states = async (first: number, count: number) =>
    embed(model, { ids: ids.slice(24 * first, 24 * (first + count)), count, length: 24 });
  const [layer, weights] = [model.spec.layers[0]!, await readLayer(model, 0)];
  const sums = async (first: number, count: number, holdsOut: boolean) => {
    const target = await states(first, count);
    await runner.mlp(layer, weights, target);
    const options = { scaled: model.spec.sandwichNorms, target, holdsOut };
    const shifted = await states(first, count);
    for (const { hidden } of shifted) hidden.data.set(hidden.data.map((value, i) => value * (1 + 0.2 * Math.sin(i))));
    return runner.projectionSums("mlp", layer, weights, shifted, options);
  };
  const [whole, apart] = [await sums(0, 2, false), await sums(0, 2, true)];
  expect(whole.heldOut).toBeUndefined();
  for (const name of ["gram", "total", "drift"] as const) {
    const scale = largest(whole[name]);
    const rest = { ...whole[name], data: whole[name].data.map((value, i) => value - apart[name].data[i]!) };
    expect(largest(rest)).toBeLessThan(1e-4 * scale);
    expect(largest(apart.heldOut![name])).toBeGreaterThan(0.05 * scale);
  }
  const first = await sums(0, 1, false);
  const last = { ...whole.gram, data: whole.gram.data.map((value, i) => value - first.gram.data[i]!) };
  const difference = last.data.map((value, i) => value - apart.heldOut!.gram.data[i]!);
  expect(largest({ ...last, data: difference })).toBeLessThan(1e-4 * largest(whole.gram));
  expect((await sums(0, 1, true)).heldOut!.gram.data.every((value) => value === 0)).toBe(true);
  await Promise.all([runner.release(), checkpoint.close()]);
});
