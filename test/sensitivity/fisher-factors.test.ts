import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { PruneEvent, PruneResult } from "../../src/events/prune.ts";
import { openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import { DEMO_MODEL, ROOT } from "../helpers/built.ts";

const text = readFileSync(join(ROOT, "data/calibration-mix.txt"), "utf8");

async function run(request: Partial<PruneRequest>): Promise<PruneResult> {
  const output = join(mkdtempSync(join(tmpdir(), "comp-loss-")), "out");
  const events: PruneEvent[] = [];
  const options = { calibration: [{ name: "mix", text }], samples: 24, context: 128, multipleOf: 1 };
  for await (const event of prune({ model: DEMO_MODEL, output, ...options, ...request })) events.push(event);
  const last = events.at(-1)!;
  if (last.type !== "done") throw new Error("no result");
  return last.result;
}

let perLayer: Promise<PruneResult> | undefined;
/** One run for both tests. */
function runPerLayer(): Promise<PruneResult> {
  perLayer ??= run({ criterion: "loss", widths: "per-layer" });
  return perLayer;
}

test("widths per layer lose less than equal widths, at the same number of parameters", async () => {
  const equal = await run({ criterion: "obs", recovery: "least-squares" });
  const own = await runPerLayer();
  expect(new Set(own.layers.map(({ keptNeurons }) => keptNeurons)).size).toBeGreaterThan(1);
  expect(Math.abs(own.parameters.after / equal.parameters.after - 1)).toBeLessThan(0.02);
  expect(own.quality.klDivergence).toBeLessThan(equal.quality.klDivergence);
});

test("a folder with widths per layer says that it needs code, opens, and becomes a plain one when pruned to equal widths", async () => {
  const own = await runPerLayer();
  const folder = own.output!;
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  expect(config.auto_map).toEqual({ AutoModelForCausalLM: "modeling_comp.CompForCausalLM" });
  expect(existsSync(join(folder, "modeling_comp.py"))).toBe(true);
  const checkpoint = await openPath(folder);
  const { spec } = await openModel(checkpoint);
  await checkpoint.close();
  expect(spec.layers.map(({ intermediateSize }) => intermediateSize)).toEqual(
    own.layers.map(({ keptNeurons }) => keptNeurons),
  );
  const again = await run({ model: folder, criterion: "obs", recovery: "least-squares", sparsity: 0.3 });
  const plain = JSON.parse(readFileSync(join(again.output!, "config.json"), "utf8"));
  expect(plain.auto_map).toBeUndefined();
  expect(plain.intermediate_sizes).toBeUndefined();
  expect(plain.architectures).toEqual(["LlamaForCausalLM"]);
});
