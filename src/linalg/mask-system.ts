// The linear system of mask tuning, Q = G ⊙ WᵀW: ‖ZWᵀ − Z diag(m) Wᵀ‖² = (1 − m)ᵀ Q (1 − m) for one scale m_j per
// neuron (Kwon et al. 2022, arXiv:2204.09656). Its inverse scores neurons, its solution rescales them.
import { gatherColumns } from "./gather.ts";
import { type Gemm, matrix } from "./gemm.ts";

/**
 * The given rows of Q_jk = G_jk · (w_j · w_k), f32 [rows.length, size].
 *
 * @param gram G = ZᵀZ, f32 [size, size]
 * @param downProj W, f32 [hiddenSize, size]; w_j is its column j
 */
export async function maskSystemRows(
  gemm: Gemm,
  gram: Float32Array,
  downProj: Float32Array,
  size: number,
  rows: Int32Array,
): Promise<Float32Array> {
  const hiddenSize = downProj.length / size;
  const taken = matrix(hiddenSize, rows.length, gatherColumns(downProj, size, rows));
  const { data } = await gemm(taken, matrix(hiddenSize, size, downProj), { transA: true });
  for (let i = 0; i < rows.length; i++) {
    const start = rows[i]! * size;
    for (let k = 0; k < size; k++) data[i * size + k]! *= gram[start + k]!;
  }
  return data;
}

/** How far a mask has moved from 1. */
export interface MaskSpread {
  /** Var(m). */
  readonly variance: number;
  /** max |m_j − 1|. */
  readonly maxDeviation: number;
}

/**
 * The range in which a tuned mask is trusted. COMP keeps the variance of the mask "in a controllable range" so that
 * tuning does not over-fit the calibration text; its numbers are not public. Ours: a scale stays between 0 and 2 (no
 * sign flips), and the standard deviation of the scales is at most 0.25.
 */
export const TRUSTED_SPREAD: MaskSpread = { variance: 0.0625, maxDeviation: 1 };

/** Variance and largest deviation from 1 of a mask. */
export function maskSpread(mask: ArrayLike<number>): MaskSpread {
  let [sum, squares, maxDeviation] = [0, 0, 0];
  for (let i = 0; i < mask.length; i++) {
    const deviation = mask[i]! - 1;
    sum += deviation;
    squares += deviation ** 2;
    maxDeviation = Math.max(maxDeviation, Math.abs(deviation));
  }
  const count = Math.max(mask.length, 1);
  return { variance: squares / count - (sum / count) ** 2, maxDeviation };
}

export const isTrusted = ({ variance, maxDeviation }: MaskSpread): boolean =>
  variance <= TRUSTED_SPREAD.variance && maxDeviation <= TRUSTED_SPREAD.maxDeviation;
