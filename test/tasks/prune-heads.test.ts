// Heads removed from whole models, through the library.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PruneResult } from "../../src/events/prune.ts";
import { sizesOf as partSizes } from "../../src/model/spec/parts.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { pruneDemo } from "../helpers/prune-demo.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";
import { newOutput, readConfig, withModel } from "../helpers/written.ts";

/** Two of the eight layers stay: enough to show all, in little time. */
const TWO_LAYERS = { layers: [1, 2, 3, 4, 5, 6], sparsity: 0.76 };

const short = shortDemo(sharedFolder(), 3);

test("a head of each group goes: a plain configuration, and the kept rows of the source in their order", async () => {
  const output = newOutput();
  const result = await pruneDemo({ output, ...TWO_LAYERS, heads: 1 });
  expect(result).toMatchObject({
    numAttentionHeads: { before: 4, after: 2 },
    numKeyValueHeads: { before: 2, after: 2 },
  });
  expect(result.sparsity.all).toBeGreaterThanOrEqual(0.76);
  const config = readConfig(output);
  expect(config).toMatchObject({ num_attention_heads: 2, num_key_value_heads: 2, head_dim: 32 });
  expect(config).not.toHaveProperty("auto_map");
  const rows = (path: string, layer: number) =>
    withModel(path, (model) => model.read(`model.layers.${layer}.self_attn.q_proj.weight`));
  for (const [position, { index, heads, keyValueHeads }] of result.layers.entries()) {
    expect(heads.map((head) => Math.floor(head / 2))).toEqual([0, 1]);
    expect(keyValueHeads).toEqual([0, 1]);
    const source = await rows(DEMO_MODEL, index);
    const expected = heads.flatMap((head) => [...source.subarray(head * 32 * 128, (head + 1) * 32 * 128)]);
    expect([...(await rows(output, position))]).toEqual(expected);
  }
  const card = readFileSync(join(output, "README.md"), "utf8");
  expect(card).toContain("heads 4 → 2, for keys and values 2 → 2");
  expect(JSON.parse(readFileSync(join(output, "pruning.json"), "utf8")).layers[0].heads).toEqual(
    result.layers[0]!.heads,
  );
});

test("heads that are chosen and refitted are nearer than by lot and left alone", async () => {
  const divergence = async (request: object): Promise<number> => {
    const heads = { model: short, preset: "osscar", output: newOutput(), sparsity: 0.06, heads: 1 } as const;
    return (await pruneDemo({ ...heads, ...request })).quality.klDivergence;
  };
  const byLot = await divergence({ criterion: "random", recovery: "none" });
  for (const criterion of ["obs", "loss", "condition"]) expect(await divergence({ criterion })).toBeLessThan(byLot);
});

test("whole key-value groups go with their heads", async () => {
  const output = newOutput();
  const { layers, numKeyValueHeads } = await pruneDemo({ preset: "osscar", output, ...TWO_LAYERS, kvGroups: 1 });
  expect(numKeyValueHeads).toEqual({ before: 2, after: 1 });
  expect(readConfig(output)).toMatchObject({ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 32 });
  for (const { heads, keyValueHeads } of layers)
    expect(heads).toEqual([2 * keyValueHeads[0]!, 2 * keyValueHeads[0]! + 1]);
});

describe("where the loss decides what each layer gives", () => {
  const sizesOf = ({ layers }: PruneResult) => layers.map(({ keptNeurons, keptHeads }) => [keptNeurons, keptHeads]);
  const request = { model: short, sparsity: 0.4, layers: 0, widths: "per-layer", multipleOf: 1 } as const;

  test("heads go too, unless only neurons may, and less is lost for it", async () => {
    const output = newOutput();
    const all = await pruneDemo({ output, ...request, prune: "all" });
    const neurons = await pruneDemo({ output: newOutput(), ...request, prune: "mlp" });
    expect(sizesOf(neurons).every(([, heads]) => heads === 4)).toBe(true);
    expect(sizesOf(all).some(([, heads]) => heads! < 4)).toBe(true);
    expect(all.sparsity.all).toBeGreaterThanOrEqual(0.4);
    expect(all.sparsity.all).toBeLessThan(0.42);
    expect(all.quality.klDivergence).toBeLessThan(neurons.quality.klDivergence);
    await withModel(output, async ({ spec }) =>
      expect(spec.layers.map(partSizes).map((sizes) => [sizes.intermediateSize, sizes.numAttentionHeads])).toEqual(
        sizesOf(all),
      ),
    );
    expect(readConfig(output)).toMatchObject({ attention_heads: sizesOf(all).map(([, heads]) => heads), head_dim: 32 });
  });

  test("heads given by number are the same in all layers, and neurons make up the rest", async () => {
    const result = await pruneDemo({ output: newOutput(), ...request, sparsity: 0.3, heads: 1 });
    expect(sizesOf(result).every(([, heads]) => heads === 2)).toBe(true);
    expect(new Set(sizesOf(result).map(([neurons]) => neurons)).size).toBeGreaterThan(1);
    expect(result.sparsity.all).toBeGreaterThanOrEqual(0.3);
  });
});
