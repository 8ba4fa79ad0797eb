// As much as a limit of quality allows, found by trials.
import type { Decision, Findings } from "../allocation/decide.ts";
import { CompError } from "../errors.ts";
import type { Quality } from "../events/common.ts";
import type { SplitTrial, Trial } from "../events/prune.ts";
import type { QualityLimits } from "../method/method.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { type Sweep, tryDecision } from "../prune/sweep.ts";
import { formatFigure, formatPercent } from "../report/format.ts";
import type { RunContext } from "../run-context.ts";
import { largestWithin } from "./largest-within.ts";
import { decideSplit } from "./mixture-split.ts";

/** How near the search comes to the largest sparsity that the limits allow. */
const TOLERANCE = 0.01;

export interface LimitedDecision {
  readonly decision: Decision;
  /** What was tried for it. */
  readonly trials: readonly Trial[];
  readonly splits: readonly SplitTrial[];
}

/**
 * As much as the limits allow, up to the sparsity `most`.
 *
 * @throws {CompError} "budget" when the smallest cut that was tried is beyond a limit
 */
export async function decideWithin(
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  { most, ...limits }: QualityLimits & { readonly most: number },
): Promise<LimitedDecision> {
  const known = new Map<number, Trial>(); // by parameters: a width in steps gives the same model for many sparsities
  const splits: SplitTrial[] = [];
  const split = async (sparsity: number): Promise<Decision> => {
    const found = await decideSplit(run, sweep, findings, sparsity);
    splits.push(...found.splits);
    return found.decision;
  };
  const sparsity = await largestWithin(most, TOLERANCE, async (value) => {
    const decision = await split(value);
    const parameters = countParameters(decision.spec).total;
    const trial =
      known.get(parameters) ?? (await tryCut(run, sweep, decision, { sparsity: value, parameters, limits }));
    known.set(parameters, trial);
    return excess(trial.quality, limits);
  });
  const trials = [...known.values()];
  if (sparsity === 0) throw nothingWithin(limits, trials.at(-1)!);
  return { decision: await split(sparsity), trials, splits };
}

interface Cut extends Pick<Trial, "sparsity" | "parameters"> {
  readonly limits: QualityLimits;
}

async function tryCut(run: RunContext, sweep: Sweep, decision: Decision, { limits, ...cut }: Cut): Promise<Trial> {
  const quality = await tryDecision(run, sweep, decision);
  const trial = { ...cut, quality, isWithin: excess(quality, limits) <= 1 };
  run.report({ type: "trial", trial });
  return trial;
}

/** A figure of the quality as a multiple of its limit, of the nearest when there are two. */
function excess(
  { klDivergence, perplexity }: Quality,
  { maxKl, maxPerplexityIncrease }: Partial<QualityLimits>,
): number {
  const increase = Math.max(0, perplexity.after / perplexity.before - 1);
  const shares = [ratio(klDivergence, maxKl), ratio(increase, maxPerplexityIncrease)];
  return Math.max(...shares);
}

const ratio = (figure: number, limit: number | undefined): number =>
  limit === undefined || figure <= 0 ? 0 : figure / limit;

function nothingWithin({ maxKl, maxPerplexityIncrease }: QualityLimits, { sparsity, quality }: Trial): CompError {
  const { klDivergence, perplexity } = quality;
  const increase = `${formatPercent(perplexity.after / perplexity.before - 1)} more perplexity`;
  const [limit, found] =
    maxKl !== undefined && excess(quality, { maxKl }) > 1
      ? [`a KL divergence of ${formatFigure(maxKl)}`, `it is ${formatFigure(klDivergence)}`]
      : [`${formatPercent(maxPerplexityIncrease!)} more perplexity`, `there is ${increase}`];
  return new CompError("budget", `no cut stays within ${limit}: with ${formatPercent(sparsity)} less ${found}`, {
    hint: "raise the limit, or calibrate on more text with --samples",
  });
}
