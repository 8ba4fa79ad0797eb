// COMP's criterion: the condition of the mask-tuning system.
import { allIndices } from "../linalg/gather.ts";
import type { Gemm } from "../linalg/gemm.ts";
import { invertSpd } from "../linalg/invert.ts";
import { maskSystemRows } from "../linalg/mask-system.ts";
import { ridged } from "../linalg/spd.ts";
import { type Block, refittedCosts } from "./block-costs.ts";
import type { Criterion } from "./criterion.ts";
import { removeGreedily } from "./greedy.ts";
import { MaskObjective } from "./mask-objective.ts";

/** Share of the mean diagonal added to Q, so that duplicate neurons leave it invertible. */
const RIDGE = 1e-4;
/** Neurons removed between two looks at the mask; halved when the mask leaves its trusted range. */
const STEP = 8;

/**
 * score_j = 1 / [Q⁻¹]_jj on the mask-tuning system Q = G ⊙ WᵀW, greedily, Q⁻¹ down-dated after every step.
 *
 * That is Q_jj over the squared collinearity index (the condition) of neuron j's contribution z_j w_jᵀ among all
 * contributions: how much the layer's output error grows when j goes and all others are rescaled. The costs are that
 * growth, in squared output units summed over the calibration tokens.
 *
 * The paper's own formula is not public; this is our reconstruction of "matrix condition-based importance" and of the
 * iteration under control of the mask's variance (Xu et al. 2025, COMP, arXiv:2501.15255).
 */
export const condition: Criterion = {
  async rank({ weight, inputSize }, { gram }, count, { gemm }) {
    const system = await maskSystem(gemm, gram, weight, inputSize);
    const inverse = ridged(system, inputSize, RIDGE);
    await invertSpd(gemm, inverse, inputSize);
    return removeGreedily(gemm, inverse, new MaskObjective(inputSize), count, STEP);
  },
  /** One scale for each head: its system is the sums of Q over pairs of blocks, and what it loses are the scales 1. */
  async blockCosts({ weight, inputSize }, { gram }, blockSize, { gemm }) {
    const system = await maskSystem(gemm, gram, weight, inputSize);
    const count = inputSize / blockSize;
    const inverse = ridged(blockSums(system, inputSize, blockSize), count, RIDGE);
    await invertSpd(gemm, inverse, count);
    const costs = refittedCosts(gemm, inverse, new Float64Array(count * count).fill(1));
    const headsOf = ({ start, end }: Block): Block => ({ start: start / blockSize, end: end / blockSize });
    return { cost: (block) => costs.cost(headsOf(block)), remove: (block) => costs.remove(headsOf(block)) };
  },
};

const maskSystem = (gemm: Gemm, gram: Float32Array, weight: Float32Array, size: number): Promise<Float32Array> =>
  maskSystemRows(gemm, gram, weight, size, allIndices(size));

function blockSums(square: Float32Array, size: number, blockSize: number): Float64Array {
  const count = size / blockSize;
  const sums = new Float64Array(count * count);
  for (let i = 0; i < square.length; i++) {
    const [row, column] = [Math.floor(i / size / blockSize), Math.floor((i % size) / blockSize)];
    sums[row * count + column]! += square[i]!;
  }
  return sums;
}
