// Columns of a projection refitted when others are gone or when its output should change: one linear system for both.
import { solveSpd } from "../linalg/cholesky.ts";
import { complement, gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { matrix } from "../linalg/gemm.ts";
import type { OutputProjection, ProjectionStatistics } from "../linalg/projection.ts";
import { addToDiagonal, meanDiagonal } from "../linalg/spd.ts";
import type { Recovery, RecoveryContext } from "./recovery.ts";

/**
 * The kept columns refitted so that the layer's output changes least, with a ridge towards the old weights.
 *
 * Over-fits when the tokens are not many more than the kept inputs and the ridge is small.
 *
 * @see the refit of OSSCAR (Meng et al. 2024, arXiv:2403.12983) and of FASP (arXiv:2501.09412)
 */
export const leastSquares: Recovery = {
  recover: async (projection, { gram }, kept, context) => ({
    weight: await refitColumns(projection, { gram }, kept, context),
  }),
};

/** What a refit needs: without a drift the output should stay as it is. */
export type RefitStatistics = Pick<ProjectionStatistics, "gram" | "drift">;

/**
 * Ŵ_K = W_K + (W_P G_PK + D_K) (G_KK + λI)⁻¹: least squares to the target Z Wᵀ + E, with a ridge towards the old weights;
 * D = EᵀZ is the drift, λ = ridge · mean diag(G).
 *
 * Solved in f64.
 *
 * @param kept columns that stay, ascending [k]
 * @returns f32 [outputSize, k]
 * @throws {CompError} "numeric" when the statistics are not finite or the system cannot be solved
 */
export async function refitColumns(
  { weight, inputSize, outputSize }: OutputProjection,
  { gram, drift }: RefitStatistics,
  kept: Int32Array,
  { gemm, ridge }: RecoveryContext,
): Promise<Float32Array> {
  const removed = complement(kept, inputSize);
  const fitted = gatherColumns(weight, inputSize, kept);
  if (removed.length === 0 && drift === undefined) return fitted;
  const change = matrix(kept.length, outputSize, new Float64Array(kept.length * outputSize));
  if (drift) addTransposed(change.data, gatherColumns(drift, inputSize, kept), outputSize);
  if (removed.length > 0) {
    const cross = matrix(kept.length, removed.length, gatherBlock(gram, inputSize, kept, removed));
    const lost = matrix(outputSize, removed.length, new Float64Array(gatherColumns(weight, inputSize, removed)));
    await gemm(cross, lost, { transB: true }, change);
  }
  const system = gatherBlock(gram, inputSize, kept, kept);
  addToDiagonal(system, kept.length, ridge * meanDiagonal(gram, inputSize));
  await solveSpd(gemm, system, change);
  addTransposed(fitted, change.data, kept.length);
  return fitted;
}

/** target [cols, rows] += source [rows, cols] transposed. */
function addTransposed(target: Float32Array | Float64Array, source: Float32Array | Float64Array, rows: number): void {
  const cols = source.length / rows;
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) target[j * rows + i]! += source[i * cols + j]!;
}
