// Columns of a projection refitted when others are gone or when its output should change: one linear system for both.
import { solveSpd } from "../linalg/cholesky.ts";
import { complement, gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { type Matrix, matrix } from "../linalg/gemm.ts";
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
  recover: async (projection, statistics, kept, context) => ({
    weight: await refitColumns(projection, async () => ({ gram: await statistics.gram() }), kept, context),
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
 * @param read gives the statistics; they are let go before the solve, which takes as much memory again
 * @param kept columns that stay, ascending [k]
 * @returns f32 [outputSize, k]
 * @throws {CompError} "numeric" when the statistics are not finite or the system cannot be solved
 */
export async function refitColumns(
  projection: OutputProjection,
  read: () => Promise<RefitStatistics>,
  kept: Int32Array,
  context: RecoveryContext,
): Promise<Float32Array> {
  const fitted = gatherColumns(projection.weight, projection.inputSize, kept);
  const system = await normalEquations(projection, read, kept, context);
  if (system === undefined) return fitted;
  const { left, right } = system;
  await solveSpd(context.gemm, left, right);
  addTransposed(fitted, right.data, kept.length);
  return fitted;
}

/** G_KK + λI and the transpose of W_P G_PK + D_K, to be solved; undefined where nothing changes. */
async function normalEquations(
  { weight, inputSize, outputSize }: OutputProjection,
  read: () => Promise<RefitStatistics>,
  kept: Int32Array,
  { gemm, ridge }: RecoveryContext,
): Promise<{ readonly left: Float64Array; readonly right: Matrix } | undefined> {
  const { gram, drift } = await read();
  const removed = complement(kept, inputSize);
  if (removed.length === 0 && drift === undefined) return undefined;
  const change = matrix(kept.length, outputSize, new Float64Array(kept.length * outputSize));
  if (drift) addTransposed(change.data, gatherColumns(drift, inputSize, kept), outputSize);
  if (removed.length > 0) {
    const cross = matrix(kept.length, removed.length, gatherBlock(gram, inputSize, kept, removed));
    const lost = matrix(outputSize, removed.length, new Float64Array(gatherColumns(weight, inputSize, removed)));
    await gemm(cross, lost, { transB: true }, change);
  }
  const system = gatherBlock(gram, inputSize, kept, kept);
  addToDiagonal(system, kept.length, ridge * meanDiagonal(gram, inputSize));
  return { left: system, right: change };
}

/** target [cols, rows] += source [rows, cols] transposed. */
function addTransposed(target: Float32Array | Float64Array, source: Float32Array | Float64Array, rows: number): void {
  const cols = source.length / rows;
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) target[j * rows + i]! += source[i * cols + j]!;
}
