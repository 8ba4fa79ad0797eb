// Published criteria: one number an expert, of the tokens that go to it before any is gone; the lowest go. f is what the expert
// writes for a token, w what that counts.
import type { RoutedSums } from "../../linalg/routed-sums.ts";
import { removeLowest } from "../one-shot.ts";
import type { ExpertCriterion } from "./expert-criterion.ts";

/** The criterion that removes the lowest scores, f64 [experts]. */
const byScore = (scores: (sums: RoutedSums) => Float64Array): ExpertCriterion => ({
  rank: (sums, count) => removeLowest(scores(sums), count),
});

/** A sum over the tokens of each expert as their mean; 0 where there are none. */
const mean = (sum: Float64Array, tokens: Float64Array): Float64Array =>
  sum.map((value, expert) => value / Math.max(1, tokens[expert]!));

/** score = the number of tokens. */
export const frequency: ExpertCriterion = byScore(({ tokens }) => tokens);

/** score = Σ ‖f‖, the expert activation norm. @see arXiv:2510.13999, where it is compared */
export const ean: ExpertCriterion = byScore(({ norms }) => norms);

/** score = mean of w ‖f‖, router-weighted activations. @see Lasby et al. 2025, arXiv:2510.13999 */
export const reap: ExpertCriterion = byScore(({ weighed, tokens }) => mean(weighed, tokens));

/** score = mean of ‖f‖. @see arXiv:2606.15716 */
export const man: ExpertCriterion = byScore(({ norms, tokens }) => mean(norms, tokens));

/** score = mean of ‖f‖². @see arXiv:2606.15716 */
export const msan: ExpertCriterion = byScore(({ squares, tokens }) => mean(squares, tokens));
