import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ReusedTensors } from "../../src/compute/reused-tensor.ts";
import { ResidentStates } from "../../src/forward/run/hidden-states.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import type { TokenWindows } from "../../src/model/spec/token-windows.ts";
import { openJournal } from "../../src/node/journal.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";
import type { SweepStates } from "../../src/prune/prune-layer.ts";
import { KeptRun, type Preparation, type RunRecord } from "../../src/tasks/resume.ts";
import { tinySpec } from "../helpers/specs.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const llama = tinySpec("llama");
const windows: TokenWindows = { ids: Int32Array.of(1, 2, 3, 4), count: 1, length: 4 };

const preparation: Preparation = {
  summary: { source: "file", names: ["a.txt"], windows: 1, ownWindows: 0, context: 4, tokens: 4 },
  windows,
  heldOut: windows,
  sensitivities: new Map(),
  chosen: { decision: { keptLayers: [], spec: llama } },
};

/** States of one window each, whose values begin at `first`. */
function statesFrom(first: number): SweepStates {
  const some = (at: number) =>
    new ResidentStates({ count: 1, length: 4 }, llama, new Float32Array(4 * llama.hiddenSize).fill(at));
  return {
    calibrated: some(first),
    dense: some(first + 1),
    heldOut: some(first + 2),
    inputMemory: new ReusedTensors(),
  };
}

/** Opens the work on an output anew, as another process does. */
async function opened(
  output: string,
  host = { now: () => 0, freeBytes: async (): Promise<number | undefined> => undefined },
) {
  const journal = await openJournal<RunRecord>(output, { version: "1", source: "a", options: "b" });
  return new KeptRun(journal, host);
}

const noFlush = async (): Promise<void> => undefined;
const finished = (next: number) => ({ next, results: [], costs: [Float64Array.of(next)] });

test("what was found out, the stand, and the states behind it are there for another run", async () => {
  const output = join(temporaryFolder(), "out");
  const scratch = scratchFolder();
  const first = await opened(output);
  expect([first.isContinued, first.done, await first.preparation()]).toEqual([false, 0, undefined]);
  const { sensitivities: _, ...known } = preparation;
  const fisherFactor = await scratch.put(Float32Array.of(1, 2));
  const sensitivities = new Map([[2 as LayerIndex, { mlp: { fisherFactor } }]]);
  await first.prepared({ ...known, sensitivities });
  await scratch.clear();
  const { keep } = first.course(llama, noFlush);
  for (const next of [1, 2, 3]) await keep!(finished(next), statesFrom(10 * next));

  const second = await opened(output);
  expect([second.isContinued, second.done]).toEqual([true, 3]);
  const { sensitivities: found, ...rest } = (await second.preparation())!;
  expect(rest).toEqual(known);
  expect(await found.get(2 as LayerIndex)!.mlp!.fisherFactor!.read()).toEqual(Float32Array.of(1, 2));
  const { from } = second.course(llama, noFlush);
  expect(from).toMatchObject(finished(3));
  const states = statesFrom(0);
  await from!.restore(states);
  expect(states).toEqual(statesFrom(30));
});

describe("states are kept", () => {
  /** Layers behind which they are, of twelve that take so many seconds each; of a model so wide that they take so many bytes. */
  async function keptBehind(bytes: number, seconds: number, free?: number): Promise<number[]> {
    const output = join(temporaryFolder(), "out");
    let now = 0;
    const run = await opened(output, { now: () => now, freeBytes: async () => free });
    await run.prepared(preparation);
    const spec = {
      ...llama,
      hiddenSize: bytes / (4 * 3 * windows.ids.length),
      layers: Array.from({ length: 12 }, () => llama.layers[0]!),
    };
    const { keep } = run.course(spec, noFlush);
    const kept: number[] = [];
    for (let next = 1; next <= 12; next++) {
      now += seconds;
      await keep!(finished(next), statesFrom(next));
      if (run.done === next) kept.push(next);
    }
    return kept;
  }

  test("behind every layer where they are small", async () => {
    expect(await keptBehind(1e6, 1)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("behind so many that all together are no more than a limit where they are large", async () => {
    expect(await keptBehind(3e8, 1)).toEqual([9]); // 12 / 9 times 0.3 GB are 0.4
    expect(await keptBehind(1e8, 1)).toEqual([3, 6, 9, 12]);
  });

  test("and sooner where much work would be lost", async () => {
    expect(await keptBehind(4e8, 100)).toEqual([3, 6, 9, 12]);
  });

  test("not where the disk has no room for them", async () => {
    expect(await keptBehind(1e8, 1, 1e8)).toEqual([]);
  });
});
