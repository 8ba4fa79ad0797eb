// Norm of the activation times norm of the weight: the error of removing a neuron alone.
import { contributionNorms } from "../linalg/norms.ts";
import { pooledCosts } from "./block-costs.ts";
import { removeLowest } from "./by-score.ts";
import type { Criterion, NeuronStatistics, OutputMatrix } from "./criterion.ts";

const scores = ({ downProj, intermediateSize }: OutputMatrix, { gram }: NeuronStatistics): Float64Array =>
  contributionNorms(gram, downProj, intermediateSize);

/**
 * score_j = ‖z_j‖ · ‖w_j‖: the output error of removing neuron j alone.
 *
 * @see Sun et al. 2023, arXiv:2306.11695, with the row norm of the structured variants
 */
export const wanda: Criterion = {
  name: "wanda",
  description: "norm of the activation times norm of its column of down_proj (baseline)",
  oneShot: true,
  rank: async (mlp, statistics, count) => removeLowest(scores(mlp, statistics), count),
  blockCosts: async (output, statistics) => pooledCosts(scores(output, statistics)),
};
