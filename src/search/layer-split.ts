// How a cut is shared between whole layers and neurons where all layers get one width: found by trials on a part of the text.
import { type Decision, decide, type Findings } from "../allocation/decide.ts";
import { reachedSparsity } from "../allocation/equal-widths.ts";
import { planLayers } from "../allocation/layer-count.ts";
import { Judge } from "../evaluate/judge.ts";
import type { SplitTrial } from "../events/prune.ts";
import { criteria } from "../importance/index.ts";
import type { Method } from "../method/method.ts";
import { trialMethod } from "../method/trial-method.ts";
import { mixtureOf, sizesOf } from "../model/spec/parts.ts";
import { windowsBetween } from "../model/spec/token-windows.ts";
import type { Sweep } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";
import { prepareTrials } from "./split-trials.ts";

/** Windows of a trial, as a share of all and at least: enough to rank splits, which all see the same. */
const TRIAL_SHARE = 1 / 8;
const LEAST_TRIAL_WINDOWS = 8;

/** Windows that judge a trial, at most and as a share of all: those that judge the result have to stay unseen. */
const MOST_JUDGES = 8;
const JUDGE_SHARE = 1 / 4;

/** Needs no inverse; with the refit behind it the choice of neurons matters little. */
const TRIAL_CRITERION = criteria.wanda;

/** Layers tried beyond those that have to go. */
const MOST_MORE_LAYERS = 2;

/** Shares by which a further layer has to be better: to go, since less is noise on so few windows, and for another to be tried. */
const LEAST_GAIN = 0.02;
const PROMISING_GAIN = 0.05;

export interface SplitDecision {
  readonly decision: Decision;
  /** What was tried for it. */
  readonly splits: readonly SplitTrial[];
}

/**
 * What goes at a sparsity; by trials where the method leaves the split between layers and neurons open.
 *
 * Of the splits, all of which remove what is asked for or a step of width more, the one of least divergence wins;
 * a layer goes only for a gain that is more than noise.
 */
export async function decideLayers(
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  sparsity: number,
): Promise<SplitDecision> {
  const { model, method } = sweep;
  if (method.layers.kind !== "search") return { decision: decide(model.spec, findings, method, sparsity), splits: [] };
  const { count: fewest } = planLayers(model.spec, method, sparsity);
  const fixed: Method = { ...method, layers: { kind: "count", count: fewest } };
  // experts are cut by what each has seen alone: there is no set of sums that would serve all splits
  if (model.spec.layers.some(mixtureOf)) return { decision: decide(model.spec, findings, fixed, sparsity), splits: [] };
  const trial = trialSweep(sweep);
  const costs = [...findings.influences!].sort((a, b) => a - b);
  const counts = Array.from({ length: MOST_MORE_LAYERS + 1 }, (_, more) => fewest + more);
  const decisions = counts
    .filter((count) => count < costs.length)
    .map((count) => decide(model.spec, findings, { ...method, layers: { kind: "count", count } }, sparsity));
  const trials = await prepareTrials(run, trial, decisions);
  const splits: SplitTrial[] = [];
  let best: { decision: Decision; divergence: number } | undefined;
  for (const [more, decision] of decisions.entries()) {
    const alone = costs.slice(0, fewest + more).reduce((sum, cost) => sum + cost, 0);
    if (best && alone >= best.divergence) break; // these layers cost more than the whole model so far
    const divergence = await trials.divergenceOf(decision);
    splits.push(splitOf(sweep, decision, sparsity, divergence));
    run.report({ type: "split", split: splits.at(-1)! });
    const gain = best ? 1 - divergence / best.divergence : 1;
    if (gain >= LEAST_GAIN) best = { decision, divergence };
    if (gain < PROMISING_GAIN) break;
  }
  await trials.release();
  return { decision: best!.decision, splits };
}

const splitOf = (
  { model, method }: Sweep,
  { keptLayers, spec }: Decision,
  sparsity: number,
  klDivergence: number,
): SplitTrial => ({
  sparsity,
  reached: reachedSparsity(model.spec, spec, method.sparsityOf),
  layers: keptLayers.length,
  intermediateSize: sizesOf(spec.layers[0]!).intermediateSize,
  klDivergence,
});

/** The first windows to fit to, the last to judge by; all of them take part in the run itself. */
function trialSweep(sweep: Sweep): Sweep {
  const { model, method, windows } = sweep;
  const { count } = windows;
  const judges = Math.min(MOST_JUDGES, Math.ceil(JUDGE_SHARE * count));
  const fitted = Math.max(LEAST_TRIAL_WINDOWS, Math.round(TRIAL_SHARE * count));
  return {
    ...sweep,
    method: trialMethod(method, model.spec, TRIAL_CRITERION),
    windows: windowsBetween(windows, 0, Math.max(1, Math.min(fitted, count - judges))),
    judge: new Judge(windowsBetween(windows, count - judges, count)),
  };
}
