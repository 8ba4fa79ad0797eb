// A decision tried out: a sweep that writes nothing tells how good the model would be.
import type { Decision } from "../allocation/decide.ts";
import type { Quality } from "../events/common.ts";
import { pruneLayers, type Sweep } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";

/** Quality of the model that a decision would give. */
export async function tryDecision(run: RunContext, sweep: Sweep, decision: Decision): Promise<Quality> {
  const trial: RunContext = {
    ...run,
    report: (event) => event.type === "stage" && run.report({ ...event, name: "trial" }),
  };
  return (await pruneLayers(trial, sweep, decision)).quality;
}
