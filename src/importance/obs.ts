// Optimal brain surgeon: the error that remains after refitting all other inputs, plain or weighted by the Fisher factor.
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { invertSpd } from "../linalg/invert.ts";
import type { OutputProjection, ProjectionStatistics } from "../linalg/projection.ts";
import { ridged } from "../linalg/spd.ts";
import { refittedCosts } from "./block-costs.ts";
import type { Criterion } from "./criterion.ts";
import { removeGreedily } from "./greedy.ts";
import { ReconstructionObjective } from "./reconstruction-objective.ts";

/** Share of the mean diagonal added to G. */
const RIDGE = 1e-4;
/** Share of the mean diagonal added to S: directions in which the sampled loss is flat still count a little. */
const FISHER_DAMPING = 0.02;
const BATCH = 8;

/**
 * score_j = ‖v_j‖² / [H⁻¹]_jj with H = G + λI and V = W, greedily, V and H⁻¹ down-dated: how much the output error grows when
 * input j goes and the columns of all others are refitted. The costs are that growth, summed over the tokens.
 *
 * @see Hassibi & Stork 1993; Meng et al. 2024 (OSSCAR), arXiv:2403.12983
 */
export const obs: Criterion = brainSurgeon(outputProduct);

/**
 * The same with V = (S + 0.02 · mean diag(S) · I)^½ W, S the Fisher factor of the output: the error is weighted by what it
 * does to the loss, to second order.
 */
export const loss: Criterion = { ...brainSurgeon(weightedProduct), needsFisherFactor: true };

/** M = VᵀV, f32 [inputSize, inputSize], of which alone the criterion needs V. */
type Product = (gemm: Gemm, projection: OutputProjection, statistics: ProjectionStatistics) => Promise<Float32Array>;

function brainSurgeon(product: Product): Criterion {
  return {
    async rank(projection, statistics, count, { gemm }) {
      // the product first: beside the inverse, which is in f64, there is the least room for what it takes on the way
      const objective = new ReconstructionObjective(await product(gemm, projection, statistics));
      const inverse = await ridgedInverse(gemm, statistics.gram, projection.inputSize);
      return removeGreedily(gemm, inverse, objective, count, BATCH);
    },
    async blockCosts(projection, statistics, _, { gemm }) {
      const inverse = await ridgedInverse(gemm, statistics.gram, projection.inputSize);
      return refittedCosts(gemm, inverse, new Float64Array(await product(gemm, projection, statistics)));
    },
  };
}

/** H⁻¹. */
async function ridgedInverse(gemm: Gemm, gram: Float32Array, size: number): Promise<Float64Array> {
  const inverse = ridged(gram, size, RIDGE);
  await invertSpd(gemm, inverse, size);
  return inverse;
}

/** WᵀW. */
async function outputProduct(gemm: Gemm, { weight, inputSize, outputSize }: OutputProjection): Promise<Float32Array> {
  const weights = matrix(outputSize, inputSize, weight);
  return (await gemm(weights, weights, { transA: true })).data;
}

/** Wᵀ(S + damping · I)W. */
async function weightedProduct(
  gemm: Gemm,
  { weight, inputSize, outputSize }: OutputProjection,
  { fisherFactor }: ProjectionStatistics,
): Promise<Float32Array> {
  const weights = matrix(outputSize, inputSize, weight);
  const metric = new Float32Array(ridged(fisherFactor!, outputSize, FISHER_DAMPING));
  const weighted = await gemm(matrix(outputSize, outputSize, metric), weights);
  return (await gemm(weights, weighted, { transA: true })).data;
}
