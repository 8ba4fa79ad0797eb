// --sparsity 0: the model as it is, written anew, and nothing looked at.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderResult } from "../../src/cli/render.ts";
import type { PruneEvent, PruneResult } from "../../src/events/prune.ts";
import { openModel } from "../../src/model/model.ts";
import { withPaths } from "../../src/node/open-path.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

async function run(
  options: Partial<PruneRequest>,
  name = "copy",
): Promise<{ events: PruneEvent[]; result: PruneResult }> {
  const events: PruneEvent[] = [];
  const request = { model: DEMO_MODEL, sparsity: 0, output: join(temporaryFolder(), name), ...options };
  for await (const event of prune(request)) events.push(event);
  const last = events.at(-1)!;
  if (last.type !== "done") throw new Error(`the run ended with ${last.type}`);
  return { events, result: last.result };
}

const weights = (folder: string): Buffer => readFileSync(join(folder, "model.safetensors"));

/** Every tensor by its name. */
const tensorsOf = (path: string): Promise<Map<string, Float32Array>> =>
  withPaths(async (open) => {
    const model = await openModel(await open(path));
    const names = [...model.tensors.keys()].sort();
    return new Map(await Promise.all(names.map(async (name) => [name, await model.read(name)] as const)));
  });

describe("a folder", () => {
  test.each<[string, Partial<PruneRequest>]>([
    ["as it is", {}],
    ["with a limit of quality", { maxKl: 0.1 }],
    ["with widths per layer", { widths: "per-layer" }],
    ["by FLAP, which adds biases where it cuts", { preset: "flap" }],
    ["by LLM-Pruner", { preset: "llm-pruner" }],
    ["by ShortGPT", { preset: "shortgpt" }],
    ["by COMP", { preset: "comp-paper" }],
    ["with layers by number, none", { layers: 0, heads: 0, kvGroups: 0 }],
  ])("%s has the weights of the source, byte for byte", async (_, options) => {
    const { events, result } = await run(options);
    expect(weights(result.output).equals(weights(DEMO_MODEL))).toBe(true);
    expect(new Set(events.map((event) => (event.type === "stage" ? event.name : event.type)))).toEqual(
      new Set(["plan", "write", "verify", "done"]),
    );
  });

  test("says that nothing was removed or measured, wherever it says anything", async () => {
    const { result } = await run({});
    expect(result).toMatchObject({ layersRemoved: [], sparsity: { all: 0, decoder: 0 } });
    expect(result).not.toHaveProperty("quality");
    expect(result).not.toHaveProperty("calibration");
    expect(result.layers.map(({ kept }) => kept.length)).toEqual(new Array(8).fill(512));
    const card = readFileSync(join(result.output, "README.md"), "utf8");
    expect(card).toContain(
      "demo, written anew by COMP (`comp-llm`): nothing was removed, so that nothing was measured.",
    );
    expect(card).not.toMatch(/perplexity|pruned|neurons chosen/i);
    const record = JSON.parse(readFileSync(join(result.output, "pruning.json"), "utf8"));
    expect(record).toMatchObject({ options: { sparsity: 0 }, layersRemoved: [] });
    expect(Object.keys(record)).not.toContain("quality");
    const lines = renderResult(result);
    expect(lines).toContain("quality         nothing was removed, and nothing measured");
    expect(lines.join("\n")).not.toContain("perplexity");
  });

  test("the plan promises no trials, and the memory of a layer", async () => {
    const { events } = await run({});
    expect(events[0]).toMatchObject({ type: "plan", searchesSplit: false, widths: "equal", layersRemoved: [] });
    expect(events[0]).toMatchObject({ expectedPeakBytes: expect.closeTo(316e6, -7) });
  });

  test("of another type has that type", async () => {
    const { result } = await run({ dtype: "f32" });
    expect(result.bytes.after).toBe(2 * result.bytes.before);
    expect(await tensorsOf(result.output)).toEqual(await tensorsOf(DEMO_MODEL));
  });
});

describe("a GGUF file", () => {
  test("and the folder made from it again have the values of the source", async () => {
    const file = (await run({}, "x.gguf")).result.output;
    expect(await tensorsOf(file)).toEqual(await tensorsOf(DEMO_MODEL));
    const back = (await run({ model: file })).result.output;
    expect(await tensorsOf(back)).toEqual(await tensorsOf(DEMO_MODEL));
    const same = (await run({ model: file, dtype: "f16" })).result.output;
    expect(weights(same).equals(weights(DEMO_MODEL))).toBe(true);
  });

  test("has equal widths for llama.cpp whatever the preset, and no calibration in its record", async () => {
    const { output } = (await run({ preset: "best" }, "x.gguf")).result;
    await withPaths(async (open) => {
      const { metadata } = await open(output);
      expect(metadata.get("general.architecture")).toBe("llama");
      expect(metadata.has("comp.options")).toBe(true);
      expect(metadata.has("comp.calibration")).toBe(false);
    });
  });

  test("in Q8_0 is the same when it is copied once more", async () => {
    const file = (await run({ dtype: "q8_0" }, "x.gguf")).result.output;
    const again = (await run({ model: file, dtype: "q8_0" }, "y.gguf")).result.output;
    expect(await tensorsOf(again)).toEqual(await tensorsOf(file));
  });
});

describe("where something is to go all the same", () => {
  test("it is calibrated and measured", async () => {
    const { result } = await run({ layers: [3], samples: 8, context: 48, preset: "wanda-sp" });
    expect(result).toMatchObject({ layersRemoved: [3], quality: { tokens: expect.any(Number) } });
  });

  test("a limit of quality has nothing to try", async () => {
    const error = await compError(run({ maxKl: 0.1, layers: [3] }));
    expect([error.kind, error.message]).toEqual(["option", "--sparsity 0 leaves a limit of quality nothing to try"]);
  });
});

test("a limit under which no size can be reached says why", async () => {
  const error = await compError(run({ sparsity: 0.3, maxKl: 0.1, layers: 0, multipleOf: 4096 }));
  expect(error.kind).toBe("budget");
  expect(error.message).toContain("cannot be reached by removing neurons alone");
});
