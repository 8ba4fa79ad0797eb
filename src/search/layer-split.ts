// How a cut is shared between whole layers and neurons where all layers get one width: found by trials on a part of the text.
import { planLayers } from "../allocation/plan.ts";
import { reachedSparsity } from "../allocation/uniform.ts";
import type { StageEvent } from "../events/common.ts";
import type { SplitEvent } from "../events/prune.ts";
import { criteria } from "../importance/index.ts";
import { type Sweep, searchesSplit } from "../method/sweep.ts";
import { type TokenWindows, windowsBetween } from "../model/spec/token-windows.ts";
import { type Decision, decide, type Evidence } from "../sensitivity/evidence.ts";
import { tryOut } from "./trial.ts";

/** Windows of a trial, as a share of all and at least: enough to rank splits, which all see the same. */
const TRIAL_SHARE = 1 / 8;
const LEAST_TRIAL_WINDOWS = 8;

/** Windows that judge a trial, at most and as a share of all: those that judge the result have to stay unseen. */
const MOST_JUDGES = 8;
const JUDGE_SHARE = 1 / 4;

/** Needs no inverse, so that a trial takes half the time; with the refit behind it the choice of neurons matters little. */
const TRIAL_CRITERION = criteria.wanda;

/** Layers tried beyond those that have to go. */
const MOST_MORE_LAYERS = 2;

/** Shares by which a further layer has to be better: to go, since less is noise on so few windows, and for another to be tried. */
const LEAST_GAIN = 0.02;
const PROMISING_GAIN = 0.05;

/**
 * What goes at a sparsity; by trials where the options leave the split between layers and neurons open.
 *
 * Of the splits, all of which remove what is asked for or a step of width more, the one of least divergence wins;
 * a layer goes only for a gain that is more than noise.
 */
export async function* chooseSplit(
  sweep: Sweep,
  evidence: Evidence,
  sparsity: number,
): AsyncGenerator<StageEvent | SplitEvent, Decision> {
  const { model, options: given, calibration } = sweep;
  const options = { ...given, sparsity };
  if (!searchesSplit(sweep)) return decide(model.spec, evidence, options);
  const trial = {
    ...sweep,
    criterion: TRIAL_CRITERION,
    choosesRidge: false,
    calibration: { ...calibration, ...trialWindows(calibration) },
  };
  const { count: fewest } = planLayers(model.spec, options);
  const costs = [...evidence.influences!].sort((a, b) => a - b);
  let best: { decision: Decision; divergence: number } | undefined;
  for (let layers = fewest; layers <= fewest + MOST_MORE_LAYERS && layers < costs.length; layers++) {
    const alone = costs.slice(0, layers).reduce((sum, cost) => sum + cost, 0);
    if (best && alone >= best.divergence) break; // these layers cost more than the whole model so far
    const decision = decide(model.spec, evidence, { ...options, layers });
    const { klDivergence } = yield* tryOut(trial, decision);
    const reached = reachedSparsity(model.spec, decision.spec, options.sparsityOf);
    const { intermediateSize } = decision.spec.layers[0]!;
    const layersLeft = decision.keptLayers.length;
    yield { type: "split", split: { sparsity, reached, layers: layersLeft, intermediateSize, klDivergence } };
    const gain = best ? 1 - klDivergence / best.divergence : 1;
    if (gain >= LEAST_GAIN) best = { decision, divergence: klDivergence };
    if (gain < PROMISING_GAIN) break;
  }
  return best!.decision;
}

/** The first windows to fit to, the last to judge by; all of them take part in the run itself. */
function trialWindows({ windows }: Pick<Sweep["calibration"], "windows">): Record<"windows" | "heldOut", TokenWindows> {
  const { count } = windows;
  const judges = Math.min(MOST_JUDGES, Math.ceil(JUDGE_SHARE * count));
  const fitted = Math.max(LEAST_TRIAL_WINDOWS, Math.round(TRIAL_SHARE * count));
  return {
    windows: windowsBetween(windows, 0, Math.max(1, Math.min(fitted, count - judges))),
    heldOut: windowsBetween(windows, count - judges, count),
  };
}
