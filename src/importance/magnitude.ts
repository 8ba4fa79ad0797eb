// Norm of the weight: blind to the activations, a baseline.
import { columnSquares } from "../linalg/norms.ts";
import { pooledCosts } from "./block-costs.ts";
import { removeLowest } from "./by-score.ts";
import type { Criterion, OutputMatrix } from "./criterion.ts";

const scores = ({ downProj, intermediateSize }: OutputMatrix): Float64Array =>
  columnSquares(downProj, intermediateSize).map(Math.sqrt);

/** score_j = ‖w_j‖, w_j the column of down_proj that neuron j feeds; needs no calibration. */
export const magnitude: Criterion = {
  name: "magnitude",
  description: "norm of the neuron's column of down_proj (baseline; ignores the activations)",
  oneShot: true,
  rank: async (mlp, _, count) => removeLowest(scores(mlp), count),
  blockCosts: async (output) => pooledCosts(scores(output)),
};
