// What makes a finding the same as an earlier one, and what another.
import { afterAll, expect, test } from "vitest";
import { type Finding, remembered } from "../../src/cache/remembered.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import { cacheFolder } from "../../src/node/cache-folder.ts";
import { layerArrays } from "../../src/sensitivity/layer-arrays.ts";
import { openTiny, testRun } from "../helpers/run.ts";
import { sharedFolder } from "../helpers/temporary.ts";

const place = { folder: sharedFolder(), mostBytes: 1e6 };
const [tiny, other] = [await openTiny("llama"), await openTiny("gemma2")];
const run = testRun({ cache: cacheFolder(place, "this") });
afterAll(async () => {
  await run.scratch.clear();
  await tiny.close();
  await other.close();
});

const { model } = tiny;
const finding = { name: "own-text", model, of: { ids: Int32Array.of(1, 2, 3), seed: 0 } } satisfies Finding;

/** Whether something has to be computed. */
async function isComputed(over: Partial<Finding>): Promise<boolean> {
  let computed = false;
  const found = await remembered(run, { ...finding, ...over }, async () => {
    computed = true;
    return [[7, 8]];
  });
  expect(found).toEqual([[7, 8]]);
  return computed;
}

test("the same is computed once", async () => {
  expect(await isComputed({})).toBe(true);
  expect(await isComputed({})).toBe(false);
  expect(await isComputed({ of: { ...finding.of, ids: Int32Array.of(1, 2, 3) } })).toBe(false);
});

test.each<[string, Partial<Finding>]>([
  ["name", { name: "costs" }],
  ["text", { of: { ...finding.of, ids: Int32Array.of(1, 2, 4) } }],
  ["option", { of: { ...finding.of, seed: 1 } }],
  ["model", { model: other.model }],
  ["configuration", { model: { ...model, config: { ...model.config, rope_theta: 5 } } }],
  ["values", { model: { ...model, checkpoint: { ...model.checkpoint, fingerprint: async () => "ab" } } }],
])("another %s is another finding", async (_, over) => {
  expect(await isComputed(over)).toBe(true);
  expect(await isComputed(over)).toBe(false);
});

test("arrays of layers come back where they belong", async () => {
  const put = (...values: number[]) => run.scratch.put(Float32Array.from(values));
  const compute = async () =>
    new Map([
      [2 as LayerIndex, { mlp: await put(1, 2), attention: await put(3) }],
      [0 as LayerIndex, { mlp: await put(4) }],
    ]);
  const fisher: Finding = { ...finding, name: "fisher-factors" };
  await remembered(run, fisher, compute, layerArrays);
  const known = await remembered(run, fisher, () => Promise.reject(new Error("computed again")), layerArrays);
  expect([...known.keys()].sort()).toEqual([0, 2]);
  expect(await known.get(2 as LayerIndex)!.mlp!.read()).toEqual(Float32Array.of(1, 2));
  expect(await known.get(2 as LayerIndex)!.attention!.read()).toEqual(Float32Array.of(3));
  expect(await known.get(0 as LayerIndex)!.mlp!.read()).toEqual(Float32Array.of(4));
  expect(known.get(0 as LayerIndex)!.attention).toBeUndefined();
});
