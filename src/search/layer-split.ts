// How a cut is shared between whole layers and neurons where all layers get one width: found by trials on a part of the text.
import { type Decision, decide, type Findings } from "../allocation/decide.ts";
import { planLayers } from "../allocation/layer-count.ts";
import type { SplitTrial } from "../events/prune.ts";
import { criteria } from "../importance/index.ts";
import type { Method } from "../method/method.ts";
import { trialMethod } from "../method/trial-method.ts";
import { mixtureOf } from "../model/spec/parts.ts";
import type { Sweep } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";
import { prepareTrials } from "./split-trials.ts";
import { splitTrial, trialSweep } from "./trial-sweep.ts";

/** Windows of a trial, as a share of all. */
const TRIAL_SHARE = 1 / 8;

/** Needs no inverse; with the refit behind it the choice of neurons matters little. */
const TRIAL_CRITERION = criteria.wanda;

/** Layers tried beyond those that have to go. */
const MOST_MORE_LAYERS = 2;

/** Shares by which a further layer has to be better: to go, since less is noise on so few windows, and for another to be tried. */
export const LEAST_GAIN = 0.02;
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
  const trial = trialSweep(sweep, trialMethod(method, model.spec, TRIAL_CRITERION), TRIAL_SHARE);
  const influences = findings.influences!;
  const counts = Array.from({ length: MOST_MORE_LAYERS + 1 }, (_, more) => fewest + more);
  const decisions = counts
    .filter((count) => count < influences.length)
    .map((count) => decide(model.spec, findings, { ...method, layers: { kind: "count", count } }, sparsity));
  const trials = await prepareTrials(run, trial, decisions);
  const splits: SplitTrial[] = [];
  let best: { decision: Decision; divergence: number } | undefined;
  for (const [more, decision] of decisions.entries()) {
    // these layers alone cost more than the whole model so far
    if (best && costAlone(influences, fewest + more) >= best.divergence) break;
    const divergence = await trials.divergenceOf(decision);
    splits.push(splitTrial(sweep, decision, sparsity, divergence));
    run.report({ type: "split", split: splits.at(-1)! });
    const gain = best ? 1 - divergence / best.divergence : 1;
    if (gain >= LEAST_GAIN) best = { decision, divergence };
    if (gain < PROMISING_GAIN) break;
  }
  await trials.release();
  return { decision: best!.decision, splits };
}

/** What so many layers cost that are removed one by one, the cheapest, nats per token. */
export const costAlone = (influences: readonly number[], count: number): number =>
  influences
    .toSorted((a, b) => a - b)
    .slice(0, count)
    .reduce((sum, cost) => sum + cost, 0);
