// How a cut is shared between whole layers and neurons where all layers get one width: found by trials on a part of the text.
import { planLayers } from "./allocation/plan.ts";
import type { StageEvent } from "./events/common.ts";
import { type Decision, decide, type Evidence } from "./evidence.ts";
import { criteria } from "./importance/index.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import { type Sweep, searchesSplit } from "./sweep.ts";
import { tryOut } from "./try-out.ts";

/** Windows of a trial, as a share of all and at least: enough to rank splits, which all see the same. */
const TRIAL_SHARE = 1 / 8;
const LEAST_TRIAL_WINDOWS = 8;

/** Needs no inverse, so that a trial takes half the time; with the refit behind it the choice of neurons matters little. */
const TRIAL_CRITERION = criteria.wanda;

/** Layers tried beyond those that have to go. */
const MOST_MORE_LAYERS = 2;

/** What goes at a sparsity; by trials where the options leave the split between layers and neurons open. */
export async function* chooseSplit(
  sweep: Sweep,
  evidence: Evidence,
  sparsity: number,
): AsyncGenerator<StageEvent, Decision> {
  const { model, options: given, calibration } = sweep;
  const options = { ...given, sparsity };
  if (!searchesSplit(sweep)) return decide(model.spec, evidence, options);
  const windows = firstWindows(calibration.windows);
  const trial = { ...sweep, criterion: TRIAL_CRITERION, calibration: { ...calibration, windows } };
  const { count: fewest } = planLayers(model.spec, options);
  const costs = [...evidence.influences!].sort((a, b) => a - b);
  let best: { decision: Decision; divergence: number } | undefined;
  for (let layers = fewest; layers <= fewest + MOST_MORE_LAYERS && layers < costs.length; layers++) {
    const alone = costs.slice(0, layers).reduce((sum, cost) => sum + cost, 0);
    if (best && alone >= best.divergence) break; // these layers cost more than the whole model so far
    const decision = decide(model.spec, evidence, { ...options, layers });
    const { klDivergence } = yield* tryOut(trial, decision);
    if (best && klDivergence >= best.divergence) break;
    best = { decision, divergence: klDivergence };
  }
  return best!.decision;
}

function firstWindows({ ids, count, length }: TokenWindows): TokenWindows {
  const some = Math.min(count, Math.max(LEAST_TRIAL_WINDOWS, Math.round(TRIAL_SHARE * count)));
  return { ids: ids.subarray(0, some * length), count: some, length };
}
