// How much of what is to go whole experts give, and how much the neurons of those that stay, found by trials on a part of the text.
import { type Decision, decide, type Findings } from "../allocation/decide.ts";
import { reachedSparsity } from "../allocation/equal-widths.ts";
import { mostExperts, withoutExperts } from "../allocation/experts.ts";
import { planLayers, whyOutOfReach } from "../allocation/layer-count.ts";
import { Judge } from "../evaluate/judge.ts";
import type { SplitTrial } from "../events/prune.ts";
import type { Method } from "../method/method.ts";
import type { Model } from "../model/model.ts";
import { mixtureOf, sizesOf } from "../model/spec/parts.ts";
import { windowsBetween } from "../model/spec/token-windows.ts";
import { type Sweep, tryDecision } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";
import { decideLayers, type SplitDecision } from "./layer-split.ts";

/** Of what is to go, as near as whole experts come to it. */
const SHARES = [0, 0.25, 0.5, 0.75, 1];

/** Windows of a trial and windows that judge it, as shares of all: each expert sees only some of the tokens. */
const TRIAL_SHARE = 1 / 4;
const JUDGE_SHARE = 1 / 8;

/** What goes at a sparsity; by trials where the method leaves the split between layers or experts and neurons open. */
export async function decideSplit(
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  sparsity: number,
): Promise<SplitDecision> {
  const { model, method } = sweep;
  if (method.experts.kind !== "search") return decideLayers(run, sweep, findings, sparsity);
  if (method.layers.kind !== "search") return decideExperts(run, sweep, findings, method, sparsity);
  const { count } = planLayers(model.spec, method, sparsity);
  return decideExperts(run, sweep, findings, { ...method, layers: { kind: "count", count } }, sparsity);
}

/**
 * Of the ways to share a sparsity between experts and neurons, all of which remove what is asked for, the one of least divergence.
 *
 * @param method with whole layers settled
 */
async function decideExperts(
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  method: Method,
  sparsity: number,
): Promise<SplitDecision> {
  const { model } = sweep;
  const decisions = expertCounts(model, method, sparsity).map((count) =>
    decide(model.spec, findings, withCount(method, count), sparsity),
  );
  const trial = trialSweep(sweep, method);
  const splits: SplitTrial[] = [];
  for (const decision of decisions) {
    const { klDivergence } = await tryDecision(run, trial, decision);
    splits.push(splitOf(model, method, decision, { sparsity, klDivergence }));
    run.report({ type: "split", split: splits.at(-1)! });
  }
  const best = splits.reduce((least, split, i) => (split.klDivergence < splits[least]!.klDivergence ? i : least), 0);
  return { decision: decisions[best]!, splits };
}

const withCount = (method: Method, count: number): Method => ({ ...method, experts: { kind: "count", count } });

/** Numbers of experts that come nearest to the shares and leave neurons enough to give the rest. */
function expertCounts({ spec }: Model, method: Method, sparsity: number): number[] {
  const all = Array.from({ length: mostExperts(spec) + 1 }, (_, count) => count);
  const gone = all.map((count) =>
    reachedSparsity(spec, withoutExperts(spec, withCount(method, count), sparsity), method.sparsityOf),
  );
  const distance = (count: number, share: number): number => Math.abs(gone[count]! - share * sparsity);
  const nearest = SHARES.map((share) =>
    all.reduce((best, count) => (distance(count, share) < distance(best, share) ? count : best), 0),
  );
  const fitting = [...new Set(nearest)].filter(
    (count) => whyOutOfReach(spec, withCount(method, count), sparsity) === undefined,
  );
  return fitting.length > 0 ? fitting : [all.at(-1)!];
}

/** The first windows to fit to, the last to judge by; all of them take part in the run itself. */
function trialSweep(sweep: Sweep, method: Method): Sweep {
  const { windows } = sweep;
  const judges = Math.max(1, Math.round(JUDGE_SHARE * windows.count));
  const fitted = Math.max(1, Math.min(Math.round(TRIAL_SHARE * windows.count), windows.count - judges));
  return {
    ...sweep,
    method: { ...method, choosesRidge: false, importance: "none" },
    windows: windowsBetween(windows, 0, fitted),
    judge: new Judge(windowsBetween(windows, windows.count - judges, windows.count)),
  };
}

function splitOf(
  { spec: before }: Model,
  { sparsityOf }: Method,
  { keptLayers, spec }: Decision,
  found: Pick<SplitTrial, "sparsity" | "klDivergence">,
): SplitTrial {
  const mixture = spec.layers.find((layer) => mixtureOf(layer) !== undefined)!;
  return {
    ...found,
    reached: reachedSparsity(before, spec, sparsityOf),
    layers: keptLayers.length,
    experts: mixtureOf(mixture)!.numExperts,
    intermediateSize: sizesOf(mixture).intermediateSize,
  };
}
