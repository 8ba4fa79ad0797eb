// That each preset prunes whole models, and what comes out of it, through the library.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type PresetName, presets } from "../../src/options/presets.ts";
import { eventsOf, pruneDemo } from "../helpers/prune-demo.ts";
import { shortDemo, TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { newOutput, readConfig, withModel } from "../helpers/written.ts";

const model = shortDemo(sharedFolder(), 3);

describe("half of each layer goes, as a preset's authors cut it, by", () => {
  const cells = Object.keys(presets)
    .map((name) => [name as PresetName, presets[name as PresetName].cuts] as const)
    .filter(([, cuts]) => cuts !== "experts");

  test.each(cells)("%s", async (preset, cuts) => {
    const output = newOutput();
    const own = { best: { layers: 0 }, "llm-pruner": { spare: [0, 0] } }[preset as string];
    const half = { model, sparsity: 0.5, sparsityOf: "decoder", multipleOf: 1, ...own } as const;
    const { options, sparsity, layers, quality } = await pruneDemo({ output, preset, ...half });
    expect(options.preset).toBe(preset);
    expect(sparsity.decoder).toBeGreaterThanOrEqual(0.5 - 1e-9);
    expect(quality.klDivergence).toBeGreaterThan(0);
    for (const { keptNeurons, totalNeurons } of layers) expect(keptNeurons < totalNeurons).toBe(cuts !== "layers");
    const heads = cuts === "mlp+attention" ? 2 : 4; // one of two in each group
    for (const { keptHeads } of layers) expect(keptHeads).toBe(heads);
    await withModel(output, async ({ spec }) =>
      expect(spec.layers.map((layer) => layer.mixer?.kind === "attention" && layer.mixer.numAttentionHeads)).toEqual(
        layers.map(() => heads),
      ),
    );
  });
});

test("llm-pruner takes as much from each layer but the first four and the last two", async () => {
  const { layers } = await pruneDemo({ output: newOutput(), preset: "llm-pruner", sparsity: 0.1 });
  const widths = layers.map(({ keptNeurons }) => keptNeurons);
  expect(widths.map((width) => width === 512)).toEqual([true, true, true, true, false, false, true, true]);
  expect(widths[4]).toBe(widths[5]);
});

test("flap gives each layer its own width, a bias to every MLP, and a model that opens and is pruned again", async () => {
  const [first, second] = [newOutput(), newOutput()];
  const { layers } = await pruneDemo({ model, output: first, preset: "flap" });
  expect(new Set(layers.map(({ keptNeurons }) => keptNeurons)).size).toBeGreaterThan(1);
  for (const { errorBefore, errorAfter } of layers) expect(errorAfter).toBeLessThanOrEqual(errorBefore);
  expect(readConfig(first)).toMatchObject({ mlp_bias: true, architectures: ["CompForCausalLM"] });
  await withModel(first, async ({ read }) => {
    expect((await read("model.layers.2.mlp.gate_proj.bias")).every((value) => value === 0)).toBe(true);
    expect((await read("model.layers.2.mlp.down_proj.bias")).some((value) => value !== 0)).toBe(true);
  });
  const again = await pruneDemo({ model: first, output: second, preset: "osscar" });
  expect(readConfig(second)).toMatchObject({ mlp_bias: true, architectures: ["LlamaForCausalLM"] });
  expect(again.quality.klDivergence).toBeGreaterThan(0);
});

describe("a family without a place for a bias", () => {
  const qwen2 = async (request: object) => {
    const [source, output] = [tinyWithTokenizer(temporaryFolder(), "qwen2"), newOutput()];
    const flap = { preset: "flap", sparsity: 0.1, ...TINY_WINDOWS } as const;
    return { output, events: await eventsOf({ model: source, output, ...flap, ...request }) };
  };

  test("gets one in the modelling file that widths per layer bring", async () => {
    const { output, events } = await qwen2({});
    const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
    expect(warnings).toEqual([expect.stringContaining("trust_remote_code")]);
    expect(readConfig(output)).toMatchObject({ down_proj_bias: true, architectures: ["CompForCausalLM"] });
    expect(existsSync(join(output, "modeling_comp.py"))).toBe(true);
  });

  test("does without one, and says so, where the widths are equal", async () => {
    const { output, events } = await qwen2({ widths: "equal" });
    const message = "a qwen2 of equal widths has no place for a bias; --recovery bias is left out";
    expect(events).toContainEqual({ type: "warning", message });
    expect(readConfig(output)).not.toHaveProperty("down_proj_bias");
  });
});

test("a run with equal widths tells what widths of their own would cost, one by another criterion does not", async () => {
  const setting = { model, sparsity: 0.2, widths: "equal", layers: 0 } as const;
  const byLoss = await pruneDemo({ ...setting, output: newOutput() });
  expect(byLoss.ownCostRatio).toBeGreaterThan(0.1);
  expect(byLoss.ownCostRatio).toBeLessThan(1);
  expect(byLoss.equalCostRatio).toBeUndefined();
  expect((await pruneDemo({ ...setting, preset: "osscar", output: newOutput() })).ownCostRatio).toBeUndefined();
});
