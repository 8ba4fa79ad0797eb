// What trials of splits have in common: the part of the text that they see, and what is told of each.
import type { Decision } from "../allocation/decide.ts";
import { reachedSparsity } from "../allocation/equal-widths.ts";
import { Judge } from "../evaluate/judge.ts";
import type { SplitTrial } from "../events/prune.ts";
import type { Method } from "../method/method.ts";
import { mixtureOf, sizesOf } from "../model/spec/parts.ts";
import { windowsBetween } from "../model/spec/token-windows.ts";
import type { Sweep } from "../prune/sweep.ts";

/** Windows that a trial is fitted to, at least: enough to rank splits, which all see the same. */
const LEAST_WINDOWS = 8;

/** Windows that judge a trial, at most and as a share of all: those that judge the result have to stay unseen. */
const MOST_JUDGES = 8;
const JUDGE_SHARE = 1 / 4;

/**
 * A sweep over the first windows, judged by the last; all of them take part in the run itself.
 *
 * @param share of the windows that a trial is fitted to
 */
export function trialSweep(sweep: Sweep, method: Method, share: number): Sweep {
  const { windows } = sweep;
  const { count } = windows;
  const judges = Math.min(MOST_JUDGES, Math.ceil(JUDGE_SHARE * count));
  const fitted = Math.max(LEAST_WINDOWS, Math.round(share * count));
  return {
    ...sweep,
    method,
    windows: windowsBetween(windows, 0, Math.max(1, Math.min(fitted, count - judges))),
    judge: new Judge(windowsBetween(windows, count - judges, count)),
  };
}

/** What is told of a trial, nats per token. */
export function splitTrial(
  { model, method }: Sweep,
  { keptLayers, spec }: Decision,
  sparsity: number,
  klDivergence: number,
): SplitTrial {
  const mixture = spec.layers.find((layer) => mixtureOf(layer) !== undefined);
  const { intermediateSize } = sizesOf(mixture ?? spec.layers[0]!);
  const heads = Math.max(...spec.layers.map((layer) => sizesOf(layer).numAttentionHeads));
  return {
    sparsity,
    reached: reachedSparsity(model.spec, spec, method.sparsityOf),
    layers: keptLayers.length,
    intermediateSize,
    ...(mixture && { experts: mixtureOf(mixture)!.numExperts }),
    ...(method.heads.kind === "search" && { heads }),
    klDivergence,
  };
}
