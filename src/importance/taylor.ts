// First-order Taylor expansion of the loss in the weights of a neuron.
import { pooledCosts } from "./block-costs.ts";
import { removeLowest } from "./by-score.ts";
import type { Criterion } from "./criterion.ts";

/**
 * score_j = Σ |w · ∂L/∂w| over row j of gate_proj, row j of up_proj and column j of down_proj, L the loss of the dense model
 * on a little text.
 *
 * @see Ma et al. 2023 (LLM-Pruner), arXiv:2305.11627, eq. 5 element-wise, summed over the coupled weights
 */
export const taylor: Criterion = {
  name: "taylor",
  description: "first-order change of the loss, weight by weight (LLM-Pruner; backward sweep)",
  needsWeightSensitivity: true,
  oneShot: true,
  rank: async (_, { weightSensitivity }, count) => removeLowest(Float64Array.from(weightSensitivity!), count),
  blockCosts: async (_, { weightSensitivity }) => pooledCosts(Float64Array.from(weightSensitivity!)),
};
