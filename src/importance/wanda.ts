// Norm of the activation times norm of the weight: the error of removing a neuron alone.
import { contributionNorms } from "../linalg/norms.ts";
import type { Criterion } from "./criterion.ts";
import { byScore } from "./one-shot.ts";

/**
 * score_j = ‖z_j‖ · ‖w_j‖: the output error of removing input j alone.
 *
 * @see Sun et al. 2023, arXiv:2306.11695, with the row norm of the structured variants
 */
export const wanda: Criterion = byScore(({ weight, inputSize }, { gram }) =>
  contributionNorms(gram, weight, inputSize),
);
