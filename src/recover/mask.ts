// Mask tuning: one scale for each kept neuron, folded into its column of down_proj.
import { CompError } from "../errors.ts";
import { solveSpd } from "../linalg/cholesky.ts";
import { complement, gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { isTrusted, maskSpread, maskSystemRows } from "../linalg/mask-system.ts";
import { contributionNorms } from "../linalg/norms.ts";
import type { OutputProjection } from "../linalg/projection.ts";
import { addToDiagonal } from "../linalg/spd.ts";
import type { Recovery } from "./recovery.ts";

/** The first damping that is tried after none at all. */
const LEAST_DAMPING = 1e-3;
/** The damping grows by this factor until the mask lies in the trusted range. */
const DAMPING_STEP = 4;

/**
 * m_K = 1 + (Q_KK + μI)⁻¹ Q_KP 1 with Q = G ⊙ WᵀW and μ = damping · mean diag(Q), folded: ŵ_j = m_j w_j.
 *
 * The damping is raised until the variance of the mask and its largest deviation from 1 lie within `TRUSTED_SPREAD`;
 * that ends, since ‖m_K − 1‖ falls monotonically with μ and bounds both.
 *
 * @see Kwon et al. 2022, arXiv:2204.09656, section 4.3, with damping towards 1; the control of the mask's variance is
 * COMP's idea (arXiv:2501.15255), our formula: the paper's own is not public
 */
export const mask: Recovery = {
  async recover(projection, statistics, kept, { gemm, ridge }) {
    const { weight, inputSize } = projection;
    const system = await tuningSystem(gemm, projection, await statistics.gram(), kept);
    for (let damping = ridge; ; damping = damping > 0 ? damping * DAMPING_STEP : LEAST_DAMPING) {
      const scales = await solve(gemm, system, damping);
      if (isTrusted(maskSpread(scales)))
        return { weight: scaleColumns(gatherColumns(weight, inputSize, kept), scales) };
    }
  },
};

interface TuningSystem {
  readonly size: number;
  readonly kept: Int32Array;
  /** Rows K of Q, f32 [k, size]. */
  readonly rows: Float32Array;
  /** Q_KP 1, f64 [k]. */
  readonly lost: Float64Array;
  /** mean diag(Q). */
  readonly scale: number;
}

async function tuningSystem(
  gemm: Gemm,
  { weight, inputSize: size }: OutputProjection,
  gram: Float32Array,
  kept: Int32Array,
): Promise<TuningSystem> {
  const rows = await maskSystemRows(gemm, gram, weight, size, kept);
  const removed = complement(kept, size);
  const lost = new Float64Array(kept.length);
  for (let i = 0; i < kept.length; i++) for (const j of removed) lost[i]! += rows[i * size + j]!;
  if (!lost.every(Number.isFinite))
    throw new CompError("numeric", "the calibration statistics of a layer are not finite", {
      hint: "its weights hold NaN or infinite values: check the checkpoint",
    });
  const scale = contributionNorms(gram, weight, size).reduce((sum, norm) => sum + norm ** 2, 0) / size;
  return { size, kept, rows, lost, scale };
}

async function solve(gemm: Gemm, { size, kept, rows, lost, scale }: TuningSystem, damping: number) {
  const order = Int32Array.from(kept, (_, i) => i);
  const system = gatherBlock(rows, size, order, kept);
  addToDiagonal(system, kept.length, damping * scale);
  const change = matrix(kept.length, 1, lost.slice());
  await solveSpd(gemm, system, change);
  return change.data.map((value) => 1 + value);
}

function scaleColumns(weights: Float32Array, scales: Float64Array): Float32Array {
  for (let i = 0; i < weights.length; i++) weights[i]! *= scales[i % scales.length]!;
  return weights;
}
