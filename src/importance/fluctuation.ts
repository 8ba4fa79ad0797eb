// Variance of the activation times norm of the weight: the error of replacing a neuron by its mean.
import { columnSquares } from "../linalg/norms.ts";
import { diagonal } from "../linalg/spd.ts";
import { pooledCosts } from "./block-costs.ts";
import { removeLowest } from "./by-score.ts";
import type { Criterion, NeuronStatistics, OutputMatrix } from "./criterion.ts";

function scores(
  { downProj, intermediateSize }: OutputMatrix,
  { gram, mean, tokenCount }: NeuronStatistics,
): Float64Array {
  const energies = diagonal(gram, intermediateSize);
  return columnSquares(downProj, intermediateSize).map(
    (square, j) => square * Math.max(energies[j]! / tokenCount - mean[j]! ** 2, 0),
  );
}

/**
 * score_j = Var(z_j) · ‖w_j‖²: the squared output error a token when neuron j alone is replaced by its mean, which the
 * recovery `bias` does.
 *
 * @see An et al. 2023 (FLAP), arXiv:2312.11983, the metric WIFV
 */
export const fluctuation: Criterion = {
  name: "fluctuation",
  description: "variance of the activation times squared norm of its column of down_proj (FLAP)",
  oneShot: true,
  rank: async (mlp, statistics, count) => removeLowest(scores(mlp, statistics), count),
  blockCosts: async (output, statistics) => pooledCosts(scores(output, statistics)),
};
