// What a limit of memory changes of a run, and what it does not.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Scratch } from "../../src/forward/run/scratch.ts";
import { nodeBackend, nodeHost } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { stageFolder } from "../../src/node/output-folder.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";
import { PruneOptions } from "../../src/options/prune.ts";
import { parseOptions } from "../../src/options/schema.ts";
import { pruneCheckpoint } from "../../src/tasks/prune-checkpoint.ts";
import { compError } from "../helpers/errors.ts";
import { eventsOf, SMALL } from "../helpers/prune-demo.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";
import { newOutput } from "../helpers/written.ts";

const model = shortDemo(sharedFolder(), 2);

interface Pruned {
  readonly weights: Uint8Array;
  /** Arrays that were put aside. */
  readonly spilled: number;
}

/** Prunes on a machine that has so much memory free. */
async function pruneWith(freeMemory: number, options: object): Promise<Pruned> {
  const output = newOutput();
  let spilled = 0;
  const createScratch = (): Scratch => {
    const scratch = scratchFolder();
    const put: Scratch["put"] = (data) => {
      spilled++;
      return scratch.put(data);
    };
    return { ...scratch, put };
  };
  const machine = nodeHost({ backend: nodeBackend(1), outputFormat: "safetensors", place: output, threads: 1 });
  const createOutput = () => stageFolder(output, { overwrite: false });
  const host = { ...machine, createScratch, createOutput, freeMemoryBytes: () => freeMemory };
  const checkpoint = await openPath(model);
  await pruneCheckpoint(
    checkpoint,
    parseOptions(PruneOptions, { ...SMALL, probes: 0, ...options }),
    host,
    () => undefined,
  );
  await checkpoint.close();
  return { weights: readFileSync(join(output, "model.safetensors")), spilled };
}

test("the same bytes come out, whether hidden states and Gram matrices stay in memory or wait on the disk", async () => {
  const options = { preset: "osscar", prune: "mlp", sparsity: 0.2, samples: 48, context: 64 }; // two batches
  const [poor, rich] = [await pruneWith(0, options), await pruneWith(64e9, options)];
  expect([poor.spilled, rich.spilled]).toEqual([4, 0]); // of two layers one Gram matrix each
  expect(poor.weights).toEqual(rich.weights);
});

test.each([
  ["with splits tried, windows held out and a dense target", { sparsity: 0.2 }],
  ["with heads cut", { preset: "osscar", prune: "all", sparsity: 0.3 }],
])("the same bytes come out, whether layers are held or read part by part, %s", async (_, options) => {
  const few = { samples: 12, context: 64, ownText: 0, ...options };
  const [poor, rich] = [await pruneWith(0, few), await pruneWith(64e9, few)];
  expect(poor.spilled).toBeGreaterThan(rich.spilled);
  expect(poor.weights).toEqual(rich.weights);
});

test("a limit that cannot be kept is refused before anything is written, with one that can", async () => {
  const output = newOutput();
  const { kind, hint } = await compError(eventsOf({ output, model, memory: "50MB" }));
  expect([kind, hint]).toEqual(["budget", expect.stringMatching(/^give --memory 0\.\dGB$/)]);
  expect(existsSync(output)).toBe(false);
  const memory = hint!.replace("give --memory ", "");
  const [plan] = await eventsOf({ output, model, memory, dryRun: true });
  if (plan?.type !== "plan") throw new Error("no plan");
  expect(plan.expectedPeakBytes).toBeLessThanOrEqual(1e9 * Number(memory.replace("GB", "")));
});
