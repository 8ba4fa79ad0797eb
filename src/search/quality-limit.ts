// As much as a limit of quality allows, found by trials.
import { largestWithin } from "../allocation/largest-within.ts";
import { CompError } from "../errors.ts";
import type { Quality } from "../events/common.ts";
import type { PruneEvent, Trial } from "../events/prune.ts";
import type { Sweep } from "../method/sweep.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { PruneOptions } from "../options/prune.ts";
import { formatFigure, formatPercent } from "../report/format.ts";
import type { Decision, Evidence } from "../sensitivity/evidence.ts";
import { chooseSplit } from "./layer-split.ts";
import { tryOut } from "./trial.ts";

/** How near the search comes to the largest sparsity that the limits allow. */
const TOLERANCE = 0.01;

/**
 * As much as the limits allow, up to the sparsity that the options name.
 *
 * @throws {CompError} "budget" when the smallest cut that was tried is beyond a limit
 */
export async function* decideWithin(sweep: Sweep, evidence: Evidence): AsyncGenerator<PruneEvent, Decision> {
  const { options } = sweep;
  const known = new Map<number, Trial>(); // by parameters: a width in steps gives the same model for many sparsities
  const search = largestWithin(options.sparsity, TOLERANCE);
  for (let step = search.next(); ; ) {
    const sparsity = step.value;
    if (step.done && sparsity > 0) return yield* chooseSplit(sweep, evidence, sparsity);
    if (step.done) throw nothingWithin(options, [...known.values()].at(-1)!);
    const decision = yield* chooseSplit(sweep, evidence, sparsity);
    const parameters = countParameters(decision.spec).total;
    if (!known.has(parameters)) {
      const quality = yield* tryOut(sweep, decision);
      const trial = { sparsity, parameters, quality, isWithin: excess(quality, options) <= 1 };
      known.set(parameters, trial);
      yield { type: "trial", trial };
    }
    step = search.next(excess(known.get(parameters)!.quality, options));
  }
}

type Limits = Pick<PruneOptions, "maxKl" | "maxPerplexityIncrease">;

/** A figure of the quality as a multiple of its limit, of the nearest when there are two. */
function excess({ klDivergence, perplexity }: Quality, { maxKl, maxPerplexityIncrease }: Limits): number {
  const increase = Math.max(0, perplexity.after / perplexity.before - 1);
  const shares = [ratio(klDivergence, maxKl), ratio(increase, maxPerplexityIncrease)];
  return Math.max(...shares);
}

const ratio = (figure: number, limit: number | undefined): number =>
  limit === undefined || figure <= 0 ? 0 : figure / limit;

function nothingWithin({ maxKl, maxPerplexityIncrease }: PruneOptions, { sparsity, quality }: Trial): CompError {
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
