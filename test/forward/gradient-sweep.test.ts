import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gradientSweep } from "../../src/forward/gradient-sweep.ts";
import { givenLabels } from "../../src/forward/labels.ts";
import { LayerRunner } from "../../src/forward/layer-runner.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { openPath } from "../../src/node/open-path.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";

/** Trace of S at each layer's down_proj by torch.autograd; test/fixtures/make-gradients.py prints them. */
const TRACES: Record<string, number[]> = {
  llama: [2.44247, 0.887467, 0.520791],
  "llama-bias": [1.78351, 0.781004, 0.45471],
  "llama-gelu": [2.63169, 0.905271, 0.486815],
  mistral: [3.15435, 1.06347, 0.488429],
  qwen2: [1.49323, 0.690561, 0.423506],
  gemma3: [1.15656, 0.267926, 0.0935127],
};

describe("the backward sweep agrees with torch.autograd", () => {
  test.each(Object.keys(TRACES))("%s", async (family) => {
    const folder = new URL(`../fixtures/tiny/${family}`, import.meta.url).pathname;
    const ids = Int32Array.from((JSON.parse(readFileSync(`${folder}/expected.json`, "utf8")).ids as number[][]).flat());
    const checkpoint = await openPath(folder);
    const model = await openModel(checkpoint);
    const runner = new LayerRunner(nodeBackend(1), model.spec);
    const scratch = scratchFolder();
    const labels = givenLabels(ids.map((id) => (id + 1) % 96));
    const traces: number[] = [];
    for await (const { index, lossCovariance } of gradientSweep({
      runner,
      model,
      windows: { ids, count: 2, length: 24 },
      scratch,
      labels,
    })) {
      traces[index] = Array.from({ length: 32 }, (_, i) => lossCovariance[33 * i]!).reduce((a, b) => a + b);
    }
    for (const [i, trace] of TRACES[family]!.entries()) expect(traces[i]! / trace).toBeCloseTo(1, 4);
    await Promise.all([scratch.clear(), runner.release(), checkpoint.close()]);
  });
});
