// What each preset chooses, how flags override it, and that each prunes.
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { presets, pruneOptions } from "../../src/method/presets.ts";
import { openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import type { PresetName } from "../../src/options/prune.ts";
import { compError } from "../helpers/errors.ts";
import { tinyPath } from "../helpers/fixtures.ts";
import { eventsOf, prose, pruneDemo } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const newOutput = (): string => join(temporaryFolder(), "out");

const readConfig = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as Record<string, unknown>;

describe("choices", () => {
  test.each<[object, object]>([
    [{}, { preset: "best", criterion: "loss", widths: "auto", allocation: "even", layers: "auto" }],
    [{ widths: "per-layer" }, { widths: "per-layer", allocation: "loss", spare: [0, 0] }],
    [{ preset: "flap" }, { criterion: "fluctuation", recovery: "bias", widths: "per-layer", allocation: "global" }],
    [
      { preset: "flap", recovery: "none" },
      { criterion: "fluctuation", recovery: "none", allocation: "global" },
    ],
    [
      { preset: "flap", widths: "equal" },
      { criterion: "fluctuation", widths: "equal", allocation: "even" },
    ],
    [{ preset: "llm-pruner" }, { widths: "per-layer", allocation: "even", spare: [4, 2] }],
    [
      { preset: "llm-pruner", widths: "equal" },
      { widths: "equal", allocation: "even", spare: [0, 0] },
    ],
    [
      { preset: "wanda-sp", widths: "per-layer" },
      { criterion: "wanda", allocation: "loss" },
    ],
    [
      { preset: "wanda-sp", allocation: "global" },
      { criterion: "wanda", widths: "per-layer" },
    ],
    [{ preset: "comp-paper" }, { criterion: "condition", recovery: "mask", layers: "half" }],
    [{ preset: "comp-paper", prune: "mlp" }, { layers: 0 }],
    [{ preset: "comp-paper", prune: "mlp", layers: 2 }, { layers: 2 }],
  ])("%j", (given, chosen) => expect(pruneOptions(given)).toMatchObject(chosen));

  test.each<[object, string]>([
    [{ widths: "equal", allocation: "global" }, "--widths equal does not go with --allocation global"],
    [{ widths: "equal", spare: [1, 1] }, "--widths equal does not go with --spare 1,1"],
    [{ widths: "per-layer", allocation: "even" }, "--widths per-layer does not go with --allocation even"],
    [{ preset: "shortgpt", prune: "mlp" }, "--preset shortgpt removes whole layers, --prune mlp leaves them all"],
    [{ preset: "sparse" }, "preset must be one of best, osscar"],
    [{ spare: [1] }, "spare must be two numbers of layers, such as 4,2, got [1]"],
  ])("%j is refused", (given, message) => expect(() => pruneOptions(given)).toThrow(message));
});

describe("each prunes the demo model", () => {
  const cells = Object.keys(presets).map((name) => [name as PresetName, presets[name as PresetName]] as const);

  test.each(cells)("%s", async (preset, { cuts }) => {
    const { options, sparsity, layers, quality } = await pruneDemo({ output: newOutput(), preset, sparsity: 0.1 });
    expect(options.preset).toBe(preset);
    expect(sparsity.all).toBeGreaterThanOrEqual(0.1 - 1e-9);
    expect(quality.klDivergence).toBeGreaterThan(0);
    if (cuts === "layers") for (const { keptNeurons, totalNeurons } of layers) expect(keptNeurons).toBe(totalNeurons);
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
  const { layers } = await pruneDemo({ output: first, preset: "flap" });
  expect(new Set(layers.map(({ keptNeurons }) => keptNeurons)).size).toBeGreaterThan(1);
  for (const { errorBefore, errorAfter } of layers) expect(errorAfter).toBeLessThanOrEqual(errorBefore);
  expect(readConfig(first)).toMatchObject({ mlp_bias: true, architectures: ["CompForCausalLM"] });
  const checkpoint = await openPath(first);
  const model = await openModel(checkpoint);
  const read = (name: string): Promise<Float32Array> => model.read(`model.layers.2.mlp.${name}.bias`);
  expect((await read("gate_proj")).every((value) => value === 0)).toBe(true);
  expect((await read("down_proj")).some((value) => value !== 0)).toBe(true);
  await checkpoint.close();
  const again = await pruneDemo({ model: first, output: second, preset: "osscar" });
  expect(readConfig(second)).toMatchObject({ mlp_bias: true, architectures: ["LlamaForCausalLM"] });
  expect(again.quality.klDivergence).toBeGreaterThan(0);
});

describe("a family without a place for a bias", () => {
  const qwen2 = async (request: object) => {
    const model = join(temporaryFolder(), "qwen2");
    cpSync(tinyPath("qwen2"), model, { recursive: true });
    const characters = Array.from({ length: 95 }, (_, id) => [String.fromCharCode(32 + id), id]);
    const vocabulary = { type: "BPE", vocab: { ...Object.fromEntries(characters), "\n": 95 }, merges: [] };
    writeFileSync(
      join(model, "tokenizer.json"),
      JSON.stringify({ version: "1.0", added_tokens: [], model: vocabulary }),
    );
    const calibration = [{ name: "ascii.txt", text: prose.text.replace(/[^ -~]/g, "") }];
    const output = newOutput();
    const small = { calibration, samples: 8, context: 24, multipleOf: 8, sparsity: 0.1 };
    return { output, events: await eventsOf({ model, output, preset: "flap", ...small, ...request }) };
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

test("a global ranking is refused to criteria that weigh neurons against one another", async () => {
  const error = await compError(eventsOf({ output: newOutput(), criterion: "obs", allocation: "global" }));
  expect(error.message).toBe("--allocation global does not go with --criterion obs");
  expect(error.hint).toBe("it needs neurons scored one by one: wanda, fluctuation, taylor, magnitude, random");
});
