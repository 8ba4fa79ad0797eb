// A decision tried out: a sweep that writes nothing tells how good the model would be.
import type { Quality, StageEvent } from "../events/common.ts";
import type { Sweep } from "../method/sweep.ts";
import { pruneLayers } from "../prune/sweep.ts";
import type { Decision } from "../sensitivity/evidence.ts";

/** Quality of the model that a decision would give. */
export async function* tryOut(sweep: Sweep, decision: Decision): AsyncGenerator<StageEvent, Quality> {
  const events = pruneLayers(sweep, decision);
  for (;;) {
    const step = await events.next();
    if (step.done) return step.value.quality;
    if (step.value.type === "stage") yield { ...step.value, name: "trial" };
  }
}
