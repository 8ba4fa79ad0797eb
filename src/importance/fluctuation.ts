// Variance of the activation times norm of the weight: the error of replacing a neuron by its mean.
import { columnSquares } from "../linalg/norms.ts";
import { diagonal } from "../linalg/spd.ts";
import type { Criterion } from "./criterion.ts";
import { byScore } from "./one-shot.ts";

/**
 * score_j = Var(z_j) · ‖w_j‖²: the squared output error a token when input j alone is replaced by its mean, which the
 * recovery `bias` does.
 *
 * @see An et al. 2023 (FLAP), arXiv:2312.11983, the metric WIFV
 */
export const fluctuation: Criterion = byScore(({ weight, inputSize }, { gram, mean, tokenCount }) => {
  const energies = diagonal(gram, inputSize);
  return columnSquares(weight, inputSize).map(
    (square, j) => square * Math.max(energies[j]! / tokenCount - mean[j]! ** 2, 0),
  );
});
