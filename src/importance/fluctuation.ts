// Variance of the activation times norm of the weight: the error of replacing a neuron by its mean.
import { columnSquares } from "../linalg/norms.ts";
import { diagonal } from "../linalg/spd.ts";
import { removeLowest } from "./by-score.ts";
import type { Criterion } from "./criterion.ts";

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
  async rank({ downProj, intermediateSize }, { gram, mean, tokenCount }, count) {
    const energies = diagonal(gram, intermediateSize);
    const scores = columnSquares(downProj, intermediateSize).map(
      (square, j) => square * Math.max(energies[j]! / tokenCount - mean[j]! ** 2, 0),
    );
    return removeLowest(scores, count);
  },
};
