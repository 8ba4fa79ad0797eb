// One-shot criteria: a score for each input, which does not depend on the others; the lowest go first.
import { CompError } from "../errors.ts";
import type { OutputProjection, ProjectionStatistics } from "../linalg/projection.ts";
import { pooledCosts } from "./block-costs.ts";
import type { Criterion, CriterionContext, Removal } from "./criterion.ts";

/** A score for each input of a projection, f64 [inputSize]; larger is kept. */
export type Scores = (
  projection: OutputProjection,
  statistics: ProjectionStatistics,
  context: CriterionContext,
) => Float64Array;

/** The criterion that removes the lowest scores; a block of inputs costs the sum of theirs. */
export const byScore = (scores: Scores): Criterion => ({
  oneShot: true,
  rank: async (projection, statistics, count, context) => removeLowest(scores(projection, statistics, context), count),
  blockCosts: async (projection, statistics, _, context) => pooledCosts(scores(projection, statistics, context)),
});

/**
 * The `count` lowest scores, ascending; equal scores in the order of their indices.
 *
 * @throws {CompError} "numeric" when a score is not a finite number
 */
export function removeLowest(scores: Float64Array, count: number): Removal {
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0)
    throw new CompError("numeric", `the importance of neuron ${bad} is ${scores[bad]}`, {
      hint: "weights or calibration statistics are not finite: check the checkpoint",
    });
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const lowest = order.slice(0, count);
  return { order: lowest, costs: Float64Array.from(lowest, (neuron) => scores[neuron]!) };
}
