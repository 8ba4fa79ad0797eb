// Pruning the demo model through the library, small enough for a test.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MeasuredResult, PruneEvent } from "../../src/events/prune.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import type { CalibrationText } from "../../src/options/prune.ts";
import { DEMO_MODEL, ROOT } from "./built.ts";

/** English prose that lies in the repository. */
export const prose = {
  name: "prose.txt",
  text: readFileSync(join(ROOT, "data/calibration-mix.txt"), "utf8").slice(0, 40_000),
} satisfies CalibrationText;

/** Windows of prose, few and short. */
export const SMALL: Omit<PruneRequest, "model" | "output" | "criterion" | "sparsity"> = {
  calibration: [prose],
  samples: 24,
  context: 48,
  ownText: 0, // a file says enough for a test, and nothing has to be written
  threads: 1,
};

/** Everything that a run tells; without probes, which have tests of their own. */
export async function eventsOf(request: Partial<PruneRequest> & { output: string }): Promise<PruneEvent[]> {
  const events: PruneEvent[] = [];
  for await (const event of prune({ model: DEMO_MODEL, probes: 0, ...SMALL, ...request })) events.push(event);
  return events;
}

/** The result of a run, which must end with it and have removed something. */
export async function pruneDemo(request: Partial<PruneRequest> & { output: string }): Promise<MeasuredResult> {
  const last = (await eventsOf(request)).at(-1)!;
  if (last.type !== "done") throw new Error(`the run ended with ${last.type}`);
  if (last.result.quality === undefined) throw new Error("nothing was measured");
  return last.result;
}
