// Optimal brain surgeon: the error that remains after refitting all other neurons.
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { invertSpd } from "../linalg/invert.ts";
import { ridged } from "../linalg/spd.ts";
import { refittedCosts } from "./block-costs.ts";
import type { Criterion } from "./criterion.ts";
import { removeGreedily } from "./greedy.ts";
import { ReconstructionObjective } from "./reconstruction-objective.ts";

/** Share of the mean diagonal added to G. */
const RIDGE = 1e-4;
/** Share of the mean diagonal added to S: directions in which the sampled loss is flat still count a little. */
const LOSS_DAMPING = 0.02;
const BATCH = 8;

/**
 * score_j = ‖v_j‖² / [H⁻¹]_jj with H = G + λI, greedily, V and H⁻¹ down-dated: how much the output error grows when
 * neuron j goes and the columns of all others are refitted.
 *
 * V = W, or V = (S + 0.02 · mean diag(S) · I)^½ W when the statistics hold the covariance S of the loss's gradient:
 * the error is then weighted by what it does to the loss. The costs are that growth, summed over the tokens.
 *
 * @see Hassibi & Stork 1993; Meng et al. 2024 (OSSCAR), arXiv:2403.12983
 */
export const obs: Criterion = {
  name: "obs",
  description: "output error after refitting all other neurons, greedy (optimal brain surgeon)",
  async rank({ downProj, hiddenSize, intermediateSize }, { gram, lossCovariance }, count, { gemm }) {
    const inverse = await ridgedInverse(gemm, gram, intermediateSize);
    const product = await outputProduct(gemm, downProj, hiddenSize, lossCovariance);
    return removeGreedily(gemm, inverse, new ReconstructionObjective(product), count, BATCH);
  },
  async blockCosts({ downProj, hiddenSize, intermediateSize }, { gram, lossCovariance }, _, { gemm }) {
    const inverse = await ridgedInverse(gemm, gram, intermediateSize);
    const product = await outputProduct(gemm, downProj, hiddenSize, lossCovariance);
    return refittedCosts(gemm, inverse, new Float64Array(product));
  },
};

/** H⁻¹. */
async function ridgedInverse(gemm: Gemm, gram: Float32Array, size: number): Promise<Float64Array> {
  const inverse = ridged(gram, size, RIDGE);
  await invertSpd(gemm, inverse, size);
  return inverse;
}

/** M = VᵀV = Wᵀ(S + damping · I)W, f32 [m, m]; without S: WᵀW. */
async function outputProduct(
  gemm: Gemm,
  downProj: Float32Array,
  hiddenSize: number,
  lossCovariance: Float32Array | undefined,
): Promise<Float32Array> {
  const weights = matrix(hiddenSize, downProj.length / hiddenSize, downProj);
  if (lossCovariance === undefined) return (await gemm(weights, weights, { transA: true })).data;
  const metric = new Float32Array(ridged(lossCovariance, hiddenSize, LOSS_DAMPING));
  const weighted = await gemm(matrix(hiddenSize, hiddenSize, metric), weights);
  return (await gemm(weights, weighted, { transA: true })).data;
}
