// What a run and a tiny model need, for tests of single steps.
import { NO_CACHE } from "../../src/cache/cache.ts";
import { backendGemm } from "../../src/compute/gemm.ts";
import type { RunEvent } from "../../src/events/prune.ts";
import { LayerRunner } from "../../src/forward/run/layer-runner.ts";
import type { Scratch } from "../../src/forward/run/scratch.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import type { TokenWindows } from "../../src/model/spec/token-windows.ts";
import { collectGarbage } from "../../src/node/garbage.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";
import type { MemoryShares, RunContext } from "../../src/run-context.ts";
import { expectedLogits, tinyPath } from "./fixtures.ts";

export interface TestRun extends RunContext {
  /** All that was reported. */
  readonly events: RunEvent[];
}

/** Memory for whatever a test may want to keep. */
export const AMPLE: MemoryShares = {
  wholeLayers: true,
  ownText: "held",
  states: 2 ** 30,
  aside: 0,
  weights: 2 ** 30,
  caches: 2 ** 30,
};

/** Scratch space that rounds nothing, for what is judged in more digits than rounding leaves. */
export function exactScratch(): Scratch {
  const folder = scratchFolder();
  return { ...folder, putRounded: folder.put };
}

/** A run on one thread that keeps what it is told; its scratch space is the test's to clear. */
export function testRun(over: Partial<RunContext> = {}): TestRun {
  const backend = nodeBackend(1);
  const events: RunEvent[] = [];
  return {
    backend,
    gemm: backendGemm(backend),
    scratch: scratchFolder(),
    cache: NO_CACHE,
    memory: AMPLE,
    report: (event) => events.push(event),
    collectGarbage,
    residentBytes: () => 0,
    now: () => 0,
    signal: undefined,
    ...over,
    events,
  };
}

/** A tiny checkpoint, opened, with a runner for its layers. */
export interface TinyModel {
  readonly model: Model;
  readonly runner: LayerRunner;
  close(): Promise<void>;
}

export async function openTiny(family: string): Promise<TinyModel> {
  const checkpoint = await openPath(tinyPath(family));
  const model = await openModel(checkpoint);
  const runner = new LayerRunner(nodeBackend(1), model.spec);
  return {
    model,
    runner,
    close: async () => {
      await runner.release();
      await checkpoint.close();
    },
  };
}

/** The two windows of 24 tokens for which transformers computed the logits of a tiny checkpoint. */
export function tinyWindows(family: string): TokenWindows {
  const { ids } = expectedLogits(family);
  return { ids: Int32Array.from(ids.flat()), count: ids.length, length: ids[0]!.length };
}

/** Windows of tokens that follow no pattern worth knowing. */
export function someWindows(count: number, length: number, vocabSize = 96): TokenWindows {
  const ids = Int32Array.from({ length: count * length }, (_, i) => (i * i * 7 + 3 * i + (i >> 3)) % vocabSize);
  return { ids, count, length };
}
