// First-order Taylor expansion of the loss in the weights of a neuron.
import type { Criterion } from "./criterion.ts";
import { byScore } from "./one-shot.ts";

/**
 * score_j = Σ |w · ∂L/∂w| over row j of gate_proj, row j of up_proj and column j of down_proj, L the loss of the dense model
 * on a little text; of a head over its rows of q_proj, k_proj and v_proj and its columns of o_proj.
 *
 * @see Ma et al. 2023 (LLM-Pruner), arXiv:2305.11627, eq. 5 element-wise, summed over the coupled weights
 */
export const taylor: Criterion = {
  ...byScore((_, { weightSensitivity }) => Float64Array.from(weightSensitivity!)),
  needsWeightSensitivity: true,
};
